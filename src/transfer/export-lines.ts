/**
 * Writes an export (form: `export-format.ts`): what a peer would be sent that has to take over the
 * whole state, as lines of JSON. Settled when it begins: later writes do not show, and compaction
 * waits until it ends. Keys of mode `local` are left out, they never leave their replica.
 *
 * Cost: one pass over the log, at the reader's pace; memory for a few pieces.
 */
import { decode } from '../../crdt/encoding/encoding.ts'
import { hlcToMs } from '../../crdt/time/hlc.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { Budget } from '../operation/budget.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import type { TransferStore } from './transfer-store.ts'
import type { Env } from '../ports/env.ts'
import { readPart } from '../merge/snapshot-parts.ts'
import { readSnapshotHead, readVector } from '../merge/snapshot-record.ts'
import { isApplied, OPERATION_KIND, ruleOf } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import { textOf } from '../operation/text.ts'
import { ITEM, itemsIn } from '../membership/snapshot-stream.ts'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { toBase64 } from '../../crdt/encoding/base64.ts'
import { readableJson } from './readable-json.ts'

/**
 * Of the stream that is turned into lines. A line may be longer, as long as a value, and then so is
 * its piece.
 */
const CHUNK_BYTES = 65_536
/** Longer payloads are not shown a second time. */
const SHOWN_BYTES_MAX = 16_384

const NO_BYTES = new Uint8Array(0)

export interface ExportOptions {
  readonly env: Env
  /** Throws when the export is to end. */
  readonly check: () => void
}

/**
 * Pieces of text, some lines each. Throws `WARP_E_RESYNC_REQUIRED` if the state is half of one and
 * half of another.
 */
export async function* exportLines(
  engine: TransferStore,
  { env, check }: ExportOptions,
): AsyncGenerator<string, void, undefined> {
  if (engine.needsSnapshot) throw replaced()
  const source = engine.exportSnapshot(CHUNK_BYTES, 'an export')
  const lines = new Lines(engine, { applied: source.vector, timeMs: env.now(), ...endedOf(engine) })
  try {
    const budget = new Budget(env, check)
    let rest: Uint8Array = NO_BYTES
    for (let chunk = source.next(budget); chunk !== undefined; chunk = source.next(budget)) {
      if (chunk === null) {
        await budget.pause()
        continue
      }
      const bytes = joined(rest, chunk)
      rest = bytes.slice(readItems(bytes, lines))
      if (lines.text !== '') yield lines.take()
      await budget.pause()
    }
    lines.end()
    yield lines.take()
  } finally {
    source.close()
  }
}

function readItems(bytes: Uint8Array, lines: Lines): number {
  try {
    const { items, whole } = itemsIn(bytes)
    for (const { type, start, end } of items) lines.add(type, { bytes, start, end })
    return whole
  } catch (cause) {
    if (isWarpError(cause, 'WARP_E_PROTOCOL')) throw replaced(cause)
    throw cause
  }
}

interface Item {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

interface Head {
  readonly applied: VersionVector
  readonly timeMs: number
  readonly ended?: string
}

class Lines {
  text = ''
  readonly #engine: TransferStore
  readonly #reader: OperationReader
  readonly #head: Head
  #snapshotsCount = 0
  #operationsCount = 0

  constructor(engine: TransferStore, head: Head) {
    this.#engine = engine
    this.#head = head
    this.#reader = new OperationReader(engine.table)
  }

  add(type: number, item: Item): void {
    if (type === ITEM.floor)
      this.#header(readVector(new ByteReader(item.bytes, item.start, item.end), this.#engine.table))
    else if (type === ITEM.part) this.#part(item)
    else if (type === ITEM.snapshot) this.#snapshot(item)
    else if (type === ITEM.operation) this.#operation(item)
  }

  end(): void {
    this.#line({ kind: 'end', snapshotsCount: this.#snapshotsCount, operationsCount: this.#operationsCount })
  }

  take(): string {
    const { text } = this
    this.text = ''
    return text
  }

  #header(floor: VersionVector): void {
    const { applied, timeMs, ended } = this.#head
    const { replica } = this.#engine
    const [everything, gone] = [objectOf(applied), objectOf(floor)]
    const version = this.#engine.table.formats.held
    this.#line({ kind: 'warp-export', version, replica, timeMs, applied: everything, floor: gone, ended })
  }

  #part({ bytes, start, end }: Item): void {
    const { key } = readPart(bytes, start, end, this.#engine.table)
    this.#line({ kind: 'part', key, record: toBase64(bytes, start, end) })
  }

  #snapshot({ bytes, start, end }: Item): void {
    const { key, strategy, baseVersion, hlc } = readSnapshotHead(bytes, start, end, this.#engine.table)
    this.#snapshotsCount++
    this.#line({
      kind: 'snapshot',
      key,
      strategy: this.#strategyName(key, strategy),
      operationsCount: baseVersion,
      timeMs: hlcToMs(hlc),
      record: toBase64(bytes, start, end),
    })
  }

  #operation({ bytes, start, end }: Item): void {
    const operation = this.#reader.load(bytes, start, end)
    const { replica, sequence, hlc, kind, strategy, payloadStart } = operation
    const key = textOf(bytes, operation.keyStart, operation.keyEnd)
    const isShown = kind === OPERATION_KIND.update && end - payloadStart <= SHOWN_BYTES_MAX
    this.#operationsCount++
    this.#line({
      kind: 'operation',
      key,
      replica,
      sequence,
      timeMs: hlcToMs(hlc),
      does: isApplied(kind) ? ruleOf(kind)?.name : 'unknown',
      ...(kind === OPERATION_KIND.update ? { strategy: this.#strategyName(key, strategy) } : {}),
      ...(isShown ? { payload: readableJson(decode(bytes, payloadStart, end)) } : {}),
      envelope: toBase64(bytes, start, end),
    })
  }

  #strategyName(key: string, code: number): string {
    const { strategy } = this.#engine.store.keyspaceFor(key, undefined)
    return strategy.code === code ? strategy.kind : `code ${code}`
  }

  #line(fields: object): void {
    this.text += `${JSON.stringify(fields)}\n`
  }
}

function endedOf({ table }: TransferStore): { readonly ended?: string } {
  if (table.ended.size === 0) return {}
  const writer = new ByteWriter()
  table.ended.write(writer, table)
  const bytes = writer.take()
  return { ended: toBase64(bytes, 0, bytes.length) }
}

function objectOf(vector: VersionVector): Record<string, number> {
  return Object.fromEntries(vector.sorted())
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

function replaced(cause?: unknown): WarpError {
  return new WarpError(
    'WARP_E_RESYNC_REQUIRED',
    'this replica is taking over the state of another one; export it again when that is done',
    { cause },
  )
}
