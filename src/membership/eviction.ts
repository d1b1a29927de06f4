/**
 * Giving a replica up: whom an operator means, and who may be given up. What follows from it is the
 * business of stability: ten rounds of silence later nobody waits for that id any more.
 */
import { checkOptions, checkTypeOf, closest, optionNames } from '../../crdt/checked-options.ts'
import { shownValue } from '../../crdt/shown-kind.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Departure } from '../operation/departures.ts'

export interface EvictOptions {
  /**
   * Also a replica that is up at this moment. It goes on under another id, so close it first, or cut
   * it off, if it is not to come back. Default `false`.
   */
  readonly force?: boolean
}

/** A replica that could be given up. */
export interface Evictable {
  readonly replica: ReplicaId
  /** As it was last heard. */
  readonly name?: string
  /** It is heard at this moment. */
  readonly isUp: boolean
  readonly isSelf: boolean
  /** It takes part no more as it is. */
  readonly departure?: Departure | undefined
}

const OPTIONS = optionNames<EvictOptions>({ force: true })
/** Digits of an id that stand for the whole of it, where no other one begins so. */
const DIGITS_MIN = 8
/** Ids and names that are shown in a message. */
const SHOWN_MAX = 8

/**
 * The id of whom `said`, a name or an id, means. Throws `WARP_E_CONFIG` if nobody or more than one
 * replica is meant, or one that may not be given up.
 */
export function whoIsEvicted(said: string, options: EvictOptions | undefined, known: readonly Evictable[]): ReplicaId {
  checkOptions('evict', options, OPTIONS)
  if (options !== undefined) checkTypeOf('evict', options, 'force', 'boolean')
  if (typeof said !== 'string' || said === '')
    throw refused(`${shownValue(said)} is no replica; give its name, or its id`)
  const one = oneOf(said, known)
  const { replica, isSelf, isUp, departure } = one
  const who = shown(one)
  if (isSelf) throw refused(`${who} is this replica itself; close it with { leave: true }`, replica)
  if (departure === 'left') throw refused(`${who} has left already: nobody waits for it`, replica)
  if (departure === 'evicted') throw refused(`${who} has been evicted already`, replica)
  if (isUp && options?.force !== true) {
    const remedy = 'close it, and evict it if it cannot say good-bye; with { force: true } it goes on under another id'
    throw refused(`${who} is up; ${remedy}`, replica)
  }
  return replica
}

function oneOf(said: string, known: readonly Evictable[]): Evictable {
  const byId = known.filter(({ replica }) => replica === said)
  const byName = known.filter(({ name }) => name === said)
  const isBeginning = said.length >= DIGITS_MIN
  const byDigits = isBeginning ? known.filter(({ replica }) => replica.startsWith(said)) : []
  const found = [byId, narrowed(byName), byDigits].find((some) => some.length > 0) ?? []
  const [one] = found
  if (one === undefined) throw unknown(said, known)
  if (found.length === 1) return one
  const ids = found.slice(0, SHOWN_MAX).map(({ replica, isUp }) => (isUp ? `${replica} (up)` : replica))
  throw refused(`'${said}' is the name of ${found.length} replicas; give the id: ${ids.join(', ')}`)
}

/** A replica that took another id left its name behind: those that take part are meant. */
function narrowed(found: readonly Evictable[]): readonly Evictable[] {
  const taking = found.filter(({ departure }) => departure === undefined)
  return taking.length > 0 ? taking : found.slice(0, 1)
}

function unknown(said: string, known: readonly Evictable[]): WarpError {
  const others = known.filter(({ isSelf, departure }) => !isSelf && departure === undefined)
  const names = others.flatMap(({ name }) => (name === undefined ? [] : [name]))
  const meant = closest(said, names)
  const listed = others.slice(0, SHOWN_MAX).map(shown).join(', ')
  const more = others.length > SHOWN_MAX ? ` and ${others.length - SHOWN_MAX} more` : ''
  const there = others.length === 0 ? 'no other replica has been heard of' : `known are ${listed}${more}`
  const remedy = meant === undefined ? there : `did you mean '${meant}'?`
  return refused(`there is no replica '${said}'; ${remedy}`)
}

function shown({ replica, name }: Evictable): string {
  return name === undefined ? replica : `${name} (${replica})`
}

function refused(problem: string, replica?: ReplicaId): WarpError {
  return new WarpError('WARP_E_CONFIG', `evict: ${problem}`, replica === undefined ? {} : { details: { replica } })
}
