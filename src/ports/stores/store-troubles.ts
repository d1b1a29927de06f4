/** What the memory store does to requests: units, defaults and bounds. */
import { isNumberFrom } from '../../../crdt/checked-options.ts'
import { shownValue } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'

export interface StoreTroubles {
  /** How long a request travels before it is executed. Default 0. */
  readonly latencyMs?: number
  /** How long its answer travels. Default 0. */
  readonly replyMs?: number
  /** A random part on top of each, up to this: requests overtake one another. Default 0. */
  readonly jitterMs?: number
  /** The share of requests that fails without being executed, 0 to 1. Default 0. */
  readonly failure?: number
  /** The share of requests that is executed and whose answer is lost, 0 to 1. Default 0. */
  readonly lostReply?: number
}

export type Troubles = Readonly<Required<StoreTroubles>>

export const NO_TROUBLES: Troubles = { latencyMs: 0, replyMs: 0, jitterMs: 0, failure: 0, lostReply: 0 }

const DAY_MS = 86_400_000
const MAX: Troubles = { latencyMs: DAY_MS, replyMs: DAY_MS, jitterMs: DAY_MS, failure: 1, lostReply: 1 }

export const TROUBLES: readonly string[] = Object.keys(MAX)

/** `settings` over `base`. Throws `WARP_E_CONFIG`. */
export function troubles(base: Troubles, settings: StoreTroubles): Troubles {
  const result: Record<keyof Troubles, number> = { ...base }
  for (const name of Object.keys(MAX) as (keyof Troubles)[]) {
    const value = settings[name]
    if (value === undefined) continue
    if (!isNumberFrom(value, 0, MAX[name])) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `memoryStore: ${name} is ${shownValue(value)}; it is at least 0 and at most ${MAX[name]}`,
        { details: { option: name } },
      )
    }
    result[name] = value
  }
  return result
}
