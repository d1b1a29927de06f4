/** What can be written to a HyperLogLog. As `verbs.ts` says. */
import type { Encodable } from '../../encoding/encodable.ts'
import type { Prepare } from '../../strategy.ts'
import { Situation, refused, type Replacing } from '../situation.ts'
import type { RedisState } from '../state.ts'
import { PRESENCE, RANK_MAX, type Raised } from './registers.ts'

/** PFADD, PFMERGE: of these those registers that are lower are raised. */
export function raise(
  prepare: Prepare<RedisState>,
  nowMs: number,
  registers: readonly Raised[],
  replacing?: Replacing,
): Encodable | undefined {
  const situation = new Situation(prepare, nowMs)
  const known = replacing === undefined ? situation.part('hll') : undefined
  if (!registers.every(isRegister)) throw refused(`registers 0 to ${PRESENCE}, with ranks of 1 to ${RANK_MAX}`)
  const greatest = new Map<number, number>()
  for (const { place, rank } of registers)
    if (rank > (greatest.get(place) ?? known?.rank(place) ?? 0)) greatest.set(place, rank)
  if (greatest.size === 0) return undefined
  const raised = Array.from(greatest, ([place, rank]) => ({ place, rank }))
  return situation.payload({ act: { act: 'raise', registers: raised }, replacing })
}

export function isRegister({ place, rank }: Raised): boolean {
  const isPlace = Number.isSafeInteger(place) && place >= 0 && place <= PRESENCE
  return isPlace && Number.isSafeInteger(rank) && rank >= 1 && rank <= RANK_MAX
}
