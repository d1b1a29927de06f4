/**
 * What is asked of a world with an ordered log when it has come to rest: what became of each write that
 * is unknown, by two machines; what each machine holds; and whether every lock can be had.
 */
import type { Machine } from '../machine.ts'
import type { Intent } from '../report/run-history.ts'
import { FENCED, isStrong, jobOf, LOCKS, POOL, POOL_PERMITS } from './order-keys.ts'
import type { SimulatedOrder } from './simulated-order.ts'

export interface Question {
  readonly machine: Machine
  readonly intent: Intent
}

interface Asked {
  up(): readonly Machine[]
  readonly keys: ReadonlySet<string>
}

/** Longer than a place in a queue is kept for somebody who is gone. */
const LOCK_WAIT_MS = 60_000
const TTL_MS = 500

/** In steps: each is asked when the one before has been answered. */
export function questionsAtRest(order: SimulatedOrder): ((world: Asked) => readonly Question[])[] {
  return [
    (world) => resolutions(world, order),
    (world) => world.up().flatMap((machine) => holdings(machine, world.keys)),
    canBeHad,
    // Behind a read that asks the log, so that all have come as far.
    (world) => world.up().map((machine) => ({ machine, intent: { kind: 'balances', how: 'linearizable' } })),
    (world) => world.up().map((machine) => ({ machine, intent: { kind: 'locks' } })),
  ]
}

function resolutions(world: Asked, { unknown }: SimulatedOrder): Question[] {
  const machines = world.up()
  return unknown.flatMap(({ id, dot }, i) => {
    if (dot === undefined) return []
    const asked = new Set([machines[i % machines.length], machines[(i + 1) % machines.length]])
    return [...asked].flatMap((machine) =>
      machine === undefined ? [] : [{ machine, intent: { kind: 'resolve', back: 0, of: id, dot } as const }],
    )
  })
}

function holdings(machine: Machine, keys: ReadonlySet<string>): Question[] {
  return [
    ...[...keys].filter(isStrong).map((key) => ({ machine, intent: { kind: 'versioned', key } as const })),
    ...FENCED.map((lock) => ({ machine, intent: { kind: 'log', key: jobOf(lock) } as const })),
    ...(['stale', 'transaction'] as const).map((how) => ({ machine, intent: { kind: 'balances', how } as const })),
  ]
}

function canBeHad(world: Asked): Question[] {
  const machines = world.up()
  return LOCKS.flatMap((name, i) => {
    const machine = machines[i % machines.length]
    const permits = name === POOL ? POOL_PERMITS : 1
    const of = { name, ttlMs: TTL_MS, permits, waitMs: LOCK_WAIT_MS, steps: [], isForgotten: false }
    return machine === undefined ? [] : [{ machine, intent: { kind: 'lock', ...of } as const }]
  })
}
