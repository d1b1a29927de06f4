/**
 * How a batch is taken apart: into statements of bounded size, and, where the database rejects one
 * for good, into halves until the row is found that it does not take.
 */
import type { RowChange, RowOutcome } from '../../../src/ports/primary-store.ts'
import { compareKeys } from '../../../src/ports/stores/key-order.ts'

/** Rows and bytes of one statement; a row that is larger goes alone. */
const ROWS_MAX = 250
const BYTES_MAX = 2 * 1024 * 1024

export interface Statement {
  /** The keys of those that were done. All or nothing: if it throws, nothing was changed. */
  run(changes: readonly RowChange[]): Promise<ReadonlySet<string>>
  /** An outcome where the row itself is to blame, or the error thrown again. */
  reject(error: unknown, key: string): RowOutcome
  isRejection(error: unknown): boolean
  /** Updates and inserts are different statements. */
  readonly splits: boolean
}

export async function writeBatch(changes: readonly RowChange[], statement: Statement): Promise<RowOutcome[]> {
  const outcomes = new Map<string, RowOutcome>()
  // In the order of keys, so that writers of the same rows wait for one another in that order.
  const sorted = [...changes].sort((a, b) => compareKeys(a.key, b.key))
  for (const part of statement.splits ? byKind(sorted) : [sorted])
    for (const chunk of chunksOf(part)) await settle(chunk, statement, outcomes)
  return changes.map(({ key }) => outcomes.get(key) ?? { kind: 'refused' })
}

async function settle(
  changes: readonly RowChange[],
  statement: Statement,
  outcomes: Map<string, RowOutcome>,
): Promise<void> {
  try {
    for (const key of await statement.run(changes)) outcomes.set(key, { kind: 'done' })
  } catch (error) {
    if (!statement.isRejection(error)) throw error
    const [first] = changes
    if (changes.length === 1 && first !== undefined) {
      outcomes.set(first.key, statement.reject(error, first.key))
      return
    }
    const middle = Math.ceil(changes.length / 2)
    await settle(changes.slice(0, middle), statement, outcomes)
    await settle(changes.slice(middle), statement, outcomes)
  }
}

function byKind(changes: readonly RowChange[]): RowChange[][] {
  const updates = changes.filter(({ expected }) => expected !== undefined)
  return [updates, changes.filter(({ expected }) => expected === undefined)]
}

export function* chunksOf(changes: readonly RowChange[]): Generator<RowChange[]> {
  let chunk: RowChange[] = []
  let bytes = 0
  for (const change of changes) {
    const size = sizeOf(change)
    if (chunk.length > 0 && (chunk.length >= ROWS_MAX || bytes + size > BYTES_MAX)) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(change)
    bytes += size
  }
  if (chunk.length > 0) yield chunk
}

function sizeOf({ key, expected, next }: RowChange): number {
  const values = (next.value?.length ?? 0) + (expected?.value?.length ?? 0)
  return key.length + values + next.meta.length
}
