/** What the values ought to be, said in the plainest way over the operations that are not cancelled, in canonical order. */
import type { Custom } from '../crdt/custom.ts'
import type { LawOperation } from '../testing/laws/law-operation.ts'
import type { ReferenceReplica } from '../testing/laws/reference-replica.ts'
import { custom } from '../crdt/custom.ts'
import { hasObserved } from '../testing/laws/law-operation.ts'
import { identityOf } from '../crdt/encoding/encoding.ts'

type Live = readonly LawOperation[]

export function lastPayload(live: Live): unknown {
  return live.at(-1)?.payload
}

export function unobservedPayloads(live: Live): unknown {
  const siblings = live.filter((one) => !live.some((other) => hasObserved(other, one)))
  return siblings.length === 0 ? undefined : siblings.map(({ payload }) => payload)
}

export function sum(live: Live): unknown {
  return live.reduce((total, { payload }) => total + (payload as number), 0)
}

/** Every element with an add that no remove of it has observed. */
export function unremoved(live: Live): unknown {
  const elements = new Map<string, unknown>()
  const calls = live.map((operation) => ({ operation, call: operation.payload as readonly [number, ...never[]] }))
  for (const { operation, call } of calls) {
    for (const element of call[0] === 1 ? call.slice(1) : []) {
      const identity = identityOf(element)
      const isRemoved = calls.some(
        (later) =>
          later.call[0] === 0 &&
          hasObserved(later.operation, operation) &&
          later.call.slice(1).some((removed) => identityOf(removed) === identity),
      )
      if (!isRemoved) elements.set(identity, element)
    }
  }
  if (elements.size === 0) return undefined
  return [...elements].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, element]) => element)
}

export function greatest(live: Live): unknown {
  const order = ['number', 'bigint', 'string', 'object']
  const best = live
    .map(({ payload }) => payload as number)
    .sort((a, b) => order.indexOf(typeof a) - order.indexOf(typeof b) || (a < b ? -1 : a > b ? 1 : 0))
  return best.at(-1)
}

export const RECENT = { countMax: 4, forMs: Infinity, bytesMax: 12 }

/** From the newest back, until there are too many, or too many bytes. */
export function newest(live: Live): unknown {
  const stay: unknown[] = []
  let left = RECENT.bytesMax
  for (const { hlc, replica, sequence, payload } of live.toReversed()) {
    const bytes = payload as Uint8Array
    left -= bytes.length
    if (left < 0 || stay.length === RECENT.countMax) break
    stay.unshift({ hlc, replica, sequence, bytes })
  }
  return stay.length === 0 ? undefined : stay
}

export function concatenation(live: Live): unknown {
  return live.length === 0 ? undefined : live.flatMap(({ payload }) => payload)
}

/** A merge that refuses by what came before: which operations are skipped depends on the canonical order. */
export function picky(): Custom<number> {
  return custom<number>((old, next) => {
    if (old === next) throw new Error('the same again')
    return (old * 31 + next) % 101
  })
}

/** Never beyond the bounds, nor any balance of rights below 0. */
export function within(least: number, most: number = Number.MAX_SAFE_INTEGER): (replica: ReferenceReplica) => void {
  return (replica) => {
    const value = replica.value as number
    if (value < least || value > most) throw new Error(`${value} is not within ${least} and ${most}`)
    for (const right of ['increment', 'decrement']) {
      if ((replica.query('rights', replica.id, right) as number) < 0) throw new Error(`rights to ${right} below 0`)
    }
  }
}
