/** What a link of the memory network does to frames: units, defaults and bounds. */
import { shownValue } from '../../../crdt/shown-kind.ts'
import { isNumberFrom } from '../../../crdt/checked-options.ts'
import { WarpError } from '../../../crdt/warp-error.ts'

export interface LinkSettings {
  /** How long a frame travels. Default 0: it arrives after the work in progress. */
  readonly delayMs?: number
  /** A random part on top of `delayMs`, up to this. Frames stay in order. Default 0. */
  readonly jitterMs?: number
  /**
   * How far delays scatter: the standard deviation of the logarithm of a factor with median 1,
   * drawn for each frame. Default 0.
   */
  readonly delaySpread?: number
  /** The share of frames that is lost, 0 to 1. Default 0. */
  readonly loss?: number
  /** The share of frames that arrives twice, the second time later. Default 0. */
  readonly repeat?: number
  /** The second copy comes up to this much later, on top. Default 0. */
  readonly repeatDelayMs?: number
  /** The share of frames that is held up, so that later ones overtake it. Default 0. */
  readonly reorder?: number
  /** Bytes a second; frames wait for one another. Default: no limit. */
  readonly bandwidth?: number
}

export type Behaviour = Readonly<Required<LinkSettings>>

export const FLAWLESS: Behaviour = {
  delayMs: 0,
  jitterMs: 0,
  delaySpread: 0,
  loss: 0,
  repeat: 0,
  repeatDelayMs: 0,
  reorder: 0,
  bandwidth: Infinity,
}

const DAY_MS = 86_400_000
const MAX: Behaviour = {
  delayMs: DAY_MS,
  jitterMs: DAY_MS,
  delaySpread: 4,
  loss: 1,
  repeat: 1,
  repeatDelayMs: DAY_MS,
  reorder: 1,
  bandwidth: Infinity,
}

export const LINK_SETTINGS: readonly string[] = Object.keys(MAX)

/** `settings` over `base`. Throws `WARP_E_CONFIG`. */
export function behaviour(base: Behaviour, settings: LinkSettings): Behaviour {
  const result: Record<keyof Behaviour, number> = { ...base }
  for (const name of Object.keys(MAX) as (keyof Behaviour)[]) {
    const value = settings[name]
    if (value === undefined) continue
    if (!isNumberFrom(value, 0, MAX[name]) || (name === 'bandwidth' && value === 0)) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `link setting ${name} is ${shownValue(value)}; it is at least 0 and at most ${MAX[name]}`,
        {
          details: { name, value },
        },
      )
    }
    result[name] = value
  }
  return result
}
