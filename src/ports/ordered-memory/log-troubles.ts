/** What the ordered log in memory does to whoever uses it: units, defaults and bounds. */
import { isNumberFrom } from '../../../crdt/checked-options.ts'
import { shownValue } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { BATCH_RECORDS_MAX } from './batch-bounds.ts'

export interface OrderedLogTroubles {
  /** How long a request, an answer and a batch of records travel, each. Default 0: until a later turn. */
  readonly delayMs?: number
  /** A random part on top of each, up to this. Requests of one link stay in order. Default 0. */
  readonly jitterMs?: number
  /** The share of appends and barriers that never reach the log, 0 to 1. Default 0. */
  readonly appendsLost?: number
  /** The share of appends and barriers that are carried out and whose answer is lost. Default 0. */
  readonly answersLost?: number
  /** The share of appends that take two places, the second one behind what comes between. Default 0. */
  readonly repeated?: number
  /** The share of batches after which up to eight of the last records are handed over again. Default 0. */
  readonly redelivered?: number
  /** The share of records before which up to four offsets are left out. Default 0. */
  readonly holes?: number
  /** The share of snapshots that cannot be saved. Default 0. */
  readonly snapshotsLost?: number
  /** A slow consumer: a reader is handed its next batch this much later. Default 0. */
  readonly slowMs?: number
  /** Records in one batch, at most. Default 512. */
  readonly batchRecords?: number
}

export type Troubles = Readonly<Required<OrderedLogTroubles>>

export const NO_TROUBLES: Troubles = {
  ...{ delayMs: 0, jitterMs: 0, slowMs: 0, batchRecords: BATCH_RECORDS_MAX },
  ...{ appendsLost: 0, answersLost: 0, repeated: 0, redelivered: 0, holes: 0, snapshotsLost: 0 },
}

const DAY_MS = 86_400_000
const MAX: Troubles = {
  ...{ delayMs: DAY_MS, jitterMs: DAY_MS, slowMs: DAY_MS, batchRecords: BATCH_RECORDS_MAX },
  ...{ appendsLost: 1, answersLost: 1, repeated: 1, redelivered: 1, holes: 1, snapshotsLost: 1 },
}

export const LOG_TROUBLES: readonly string[] = Object.keys(MAX)

/** `settings` over `base`. Throws `WARP_E_CONFIG`. */
export function logTroubles(base: Troubles, settings: OrderedLogTroubles): Troubles {
  const result: Record<keyof Troubles, number> = { ...base }
  for (const name of Object.keys(MAX) as (keyof Troubles)[]) {
    const value = settings[name]
    if (value === undefined) continue
    const min = name === 'batchRecords' ? 1 : 0
    if (!isNumberFrom(value, min, MAX[name])) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `memoryOrderedLog: ${name} is ${shownValue(value)}; it is at least ${min} and at most ${MAX[name]}`,
        { details: { option: name } },
      )
    }
    result[name] = value
  }
  return result
}
