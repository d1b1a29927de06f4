/**
 * The key as whoever writes sees it at a moment, and the payload of what he writes.
 *
 * Whether a key is still alive is decided by its writer, once: one who finds it dead, or hidden
 * leftovers, writes an operation that takes away all that he sees. So the fold needs no clock.
 */
import type { Encodable } from '../encoding/encodable.ts'
import type { Prepare } from '../strategy.ts'
import { shownKind } from '../shown-kind.ts'
import { WarpError } from '../warp-error.ts'
import { KIND_OF } from './apply.ts'
import { isBinary } from './binary.ts'
import type { Cell } from './cell.ts'
import { KINDS, sizeOf, type Kind, type Parts, type RedisState } from './state.ts'
import {
  FIELD_PLACE,
  MEMBER_PLACE,
  STRING_PLACE,
  encodeWrite,
  type Act,
  type LifeChange,
  type PlacedCut,
} from './write.ts'

/** Takes the place of all that was in the key. */
export interface Replacing {
  /** Milliseconds since 1970; `Infinity`, or left out: for ever. */
  readonly untilMs?: number | undefined
}

export interface Written {
  readonly act: Act
  /** As it is, if left out. */
  readonly life?: LifeChange
  readonly replacing?: Replacing | undefined
  /** Additions that it takes away, beside those that go anyway. */
  readonly cuts?: readonly PlacedCut[]
}

const NO_CUTS: readonly PlacedCut[] = Object.freeze([])

export class Situation {
  readonly state: RedisState
  /** Whether there is a key to be seen. */
  readonly isAlive: boolean

  constructor(prepare: Prepare<RedisState>, nowMs: number) {
    if (typeof nowMs !== 'number' || !Number.isFinite(nowMs))
      throw refused(`the time now in milliseconds, not ${shownKind(nowMs)}`)
    this.state = prepare.state()
    this.isAlive = this.state.kind !== undefined && this.state.untilMs > nowMs
  }

  /** The part of that type as it is to be seen. Throws `WARP_E_MODE` if the key holds another type. */
  part<K extends Kind>(kind: K): Parts[K] | undefined {
    if (!this.isAlive) return undefined
    const { state } = this
    if (state.kind !== kind)
      throw new WarpError(
        'WARP_E_MODE',
        `the key holds a ${state.kind ?? ''}, no ${kind}; delete it, or write another key`,
        {
          details: { holds: state.kind, wanted: kind },
        },
      )
    return state[kind]
  }

  /** The payload. */
  payload({ act, life = 'kept', replacing, cuts = [] }: Written): Encodable {
    const { state } = this
    const isStale = !this.isAlive && !state.isInitial
    const isReplacing = replacing !== undefined || isStale
    const until = replacing === undefined ? life : checkUntil(replacing.untilMs)
    if (isReplacing)
      return encodeWrite({
        act,
        isReplacing,
        life: until === 'kept' ? Infinity : until,
        cuts: allCuts(state),
      })
    const own = KIND_OF[act.act]
    const others = own === undefined ? [] : KINDS.filter((kind) => kind !== own && state[kind] !== undefined)
    return encodeWrite({ act, isReplacing, life, cuts: [...cuts, ...others.flatMap((kind) => cutsOf(state, kind))] })
  }

  /** The payload of a whole string that leaves the key's life as it is. */
  keepingPut(act: Act): Encodable {
    const { state } = this
    return encodeWrite({
      act,
      isReplacing: false,
      life: 'kept',
      cuts: allCuts(state),
    })
  }

  /** The payload of what takes `count` entries away: with the last one, the key's life goes. */
  removal(act: Act, count: number, cuts: readonly PlacedCut[] = []): Encodable {
    const { state } = this
    const isLast = state.kind !== undefined && sizeOf(state, state.kind) === count
    return this.payload({ act, cuts, life: isLast && state.lives.length > 0 ? 'none' : 'kept' })
  }
}

/** Of every part that is there. */
function allCuts(state: RedisState): readonly PlacedCut[] {
  const { string, hash, zset } = state
  const hasRuns = hash !== undefined || zset !== undefined || (string !== undefined && string.runs.length > 0)
  return hasRuns ? KINDS.flatMap((kind) => cutsOf(state, kind)) : NO_CUTS
}

function cutsOf(state: RedisState, kind: Kind): PlacedCut[] {
  const { string, hash, zset } = state
  if (kind === 'string') return string === undefined ? [] : cutsIn(STRING_PLACE, string)
  if (kind === 'hash') return (hash?.entries() ?? []).flatMap(({ name, cell }) => cutsIn(FIELD_PLACE + name, cell))
  if (kind === 'zset')
    return (zset?.table.entries() ?? []).flatMap(({ name, cell }) => cutsIn(MEMBER_PLACE + name, cell))
  return []
}

/** What takes away the additions in a place, as far as they are seen. */
export function cutsIn(place: string, { runs }: Cell<unknown>): PlacedCut[] {
  return runs.map(({ replica, sequence, index, total }) => ({ place, replica, sequence, index, total }))
}

/** Throws `WARP_E_CONFIG`. */
export function checkUntil(untilMs: number | undefined = Infinity): number {
  if (untilMs === Infinity || (Number.isSafeInteger(untilMs) && untilMs > 0)) return untilMs
  throw refused(`a deadline in whole milliseconds since 1970, or Infinity, not ${shownKind(untilMs)}`)
}

/** Throws `WARP_E_UNENCODABLE` for what is no binary string. */
export function checkBinary(value: unknown): string {
  if (isBinary(value)) return value
  throw new WarpError(
    'WARP_E_UNENCODABLE',
    `a redis key takes binary strings, one character for each byte, not ${typeof value === 'string' ? 'text with characters beyond U+00FF' : shownKind(value)}; encode it, as Buffer.from(text).toString('latin1') does`,
  )
}

export function refused(wanted: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `a verb of redis takes ${wanted}`)
}
