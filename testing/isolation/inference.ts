/**
 * What the two kinds of histories have in common: what is inferred from them, and how single reads
 * and lost updates are judged.
 */
import type { Json } from '../history/json.ts'
import { type Anomaly, type AnomalyName, nameOf } from './anomaly.ts'
import type { Dependency } from './dependencies.ts'
import type { Transaction, Write, Writes } from './transactions.ts'

export interface Inference {
  readonly committed: ReadonlySet<Transaction>
  readonly anomalies: readonly Anomaly[]
  readonly dependencies: readonly Dependency[]
}

/** The version of a key that a transaction found, before it wrote there itself. */
export interface ExternalRead {
  readonly transaction: Transaction
  readonly key: string
  readonly value: Json
  readonly text: string
  /** Whether the transaction writes the key behind this read. */
  readonly isUpdate: boolean
}

export function anomaly(name: AnomalyName, transactions: readonly Transaction[], text: string): Anomaly {
  return { name, transactions: [...new Set(transactions)], text }
}

/**
 * What is wrong with having seen one value, whatever else was seen: that nobody wrote it, or that
 * its writer failed.
 */
export function judgeSeen(reader: Transaction, key: string, text: string, writes: Writes): Anomaly | Write {
  const write = writes.get(key)?.get(text)
  const seen = `${nameOf(reader)} read ${text} from ${key}`
  if (write === undefined) return anomaly('garbage-read', [reader], `${seen}, which nobody wrote`)
  const writer = write.transaction
  if (writer.outcome !== 'failed') return write
  return anomaly('G1a', [reader, writer], `${seen}, which ${nameOf(writer)} wrote, and ${nameOf(writer)} failed`)
}

export function isAnomaly(found: Anomaly | Write): found is Anomaly {
  return 'name' in found
}

/** Of one reader, the version that it found was not the last that its writer made. */
export function intermediateRead(read: ExternalRead, write: Write): Anomaly[] {
  const { transaction, key } = read
  const writer = write.transaction
  if (writer === transaction || !write.isIntermediate) return []
  const text = `${nameOf(transaction)} read ${key} as it was in the middle of ${nameOf(writer)}, which wrote ${write.text} and then again`
  return [anomaly('G1b', [transaction, writer], text)]
}

/**
 * Two or more that found the same version and wrote the key: all but one did not know what they
 * overwrote.
 */
export function lostUpdates(reads: readonly ExternalRead[]): Anomaly[] {
  const updates = new Map<string, ExternalRead[]>()
  for (const read of reads) {
    if (!read.isUpdate) continue
    const version = `${JSON.stringify(read.key)} ${read.text}`
    const same = updates.get(version)
    if (same === undefined) updates.set(version, [read])
    else same.push(read)
  }
  return [...updates.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined || same.length < 2) return []
    const names = same.map(({ transaction }) => nameOf(transaction)).join(', ')
    const text = `${names} all read ${first.key} as ${first.text}, and then wrote it`
    return [
      anomaly(
        'lost-update',
        same.map(({ transaction }) => transaction),
        text,
      ),
    ]
  })
}
