/**
 * Schedules of members that come, write, and go, in words that the model of membership and the
 * engine both understand. Between two steps whoever hears anybody has heard everything of them, so
 * the same is known on both sides when the next step is taken. That is not everybody: after some
 * steps only some machines hear each other, or none, before the next one is taken. So steps race:
 * several of them are taken by machines of which none knows what the others have just done.
 */
import { type Random, seededRandom } from '../../testing/world/random.ts'

/** What is done. Machines by number, in the order in which they came. */
type Deed =
  | { readonly kind: 'write' | 'delete'; readonly machine: number; readonly key: string }
  /** Machines in the group hear each other, and so do all others. */
  | { readonly kind: 'partition'; readonly group: readonly number[] }
  | { readonly kind: 'heal' | 'compact' | 'newcomer' }
  /** It wrote before it met anybody. */
  | { readonly kind: 'stranger'; readonly key: string }
  | { readonly kind: 'leave' | 'kill' | 'power failure' | 'death'; readonly machine: number }
  /** `by` gives up `machine`, which is up. */
  | { readonly kind: 'evict'; readonly machine: number; readonly by: number }
  /** Cut off alone for longer than the others wait for it; it writes meanwhile, and so do they. */
  | { readonly kind: 'silence'; readonly machine: number; readonly key: string }

/** `among`: who alone hears each other from here to the next step; all do if it is absent. */
export type Step = Deed & { readonly among?: readonly number[] }

export const KEYS = ['x', 'y']
/** What may race. Who leaves, evicts or is silent says so to others, and waits for them. */
const RACING: ReadonlySet<Step['kind']> = new Set(['write', 'delete', 'compact', 'kill'])
const RACES = 0.35
/** Races in which nobody hears anybody. */
const UNHEARD = 0.5
const MACHINES_MAX = 5
const LEAST = 2

interface Drawn {
  readonly random: Random
  readonly alive: Set<number>
  count: number
  /** Somebody has been given up. Engines take ten rounds for that, the model none. */
  hasEvicted: boolean
}

export function drawSchedule(seed: number | string, machines: number, length: number): Step[] {
  const drawn: Drawn = {
    random: seededRandom(seed),
    alive: new Set(Array.from({ length: machines }, (_, i) => i)),
    count: machines,
    hasEvicted: false,
  }
  const steps = Array.from({ length }, () => raced(drawn, draw(drawn)))
  // In the end everybody hears.
  return [...steps, { kind: 'heal' }]
}

function raced(drawn: Drawn, step: Step): Step {
  const { random, alive } = drawn
  if (step.kind === 'evict') drawn.hasEvicted = true
  if (drawn.hasEvicted || !RACING.has(step.kind) || !random.chance(RACES)) return step
  const shuffled = random.shuffled([...alive])
  return { ...step, among: random.chance(UNHEARD) ? [] : shuffled.slice(0, random.between(1, shuffled.length - 1)) }
}

type Draw = (drawn: Drawn, machine: number, key: string) => Step | undefined

/** What is drawn how often, of 100. What cannot be now is a write instead. */
const SHARES: readonly (readonly [share: number, draw: Draw])[] = [
  [42, (_, machine, key) => ({ kind: 'write', machine, key })],
  [10, (_, machine, key) => ({ kind: 'delete', machine, key })],
  [8, () => ({ kind: 'compact' })],
  [8, partition],
  [6, heal],
  [6, (drawn, _, key) => (drawn.alive.size < MACHINES_MAX ? newcomer(drawn, key) : undefined)],
  [4, (_, machine) => ({ kind: 'kill', machine })],
  [4, (_, machine) => ({ kind: 'power failure', machine })],
  [2, (drawn, machine) => ending(drawn, 'leave', machine)],
  [2, (drawn, machine) => ending(drawn, 'death', machine)],
  [4, silence],
  [4, eviction],
]

function draw(drawn: Drawn): Step {
  const { random, alive } = drawn
  const machine = random.pick([...alive])
  const key = random.pick(KEYS)
  let dice = random.below(100)
  for (const [share, one] of SHARES) {
    if (dice < share) return one(drawn, machine, key) ?? { kind: 'write', machine, key }
    dice -= share
  }
  return { kind: 'write', machine, key }
}

function silence(_: Drawn, machine: number, key: string): Step {
  return { kind: 'silence', machine, key }
}

function eviction({ random, alive }: Drawn, machine: number): Step {
  return { kind: 'evict', machine, by: random.pick([...alive].filter((other) => other !== machine)) }
}

function partition(drawn: Drawn): Step {
  const { random, alive } = drawn
  const shuffled = random.shuffled([...alive])
  return { kind: 'partition', group: shuffled.slice(0, random.between(1, shuffled.length - 1)) }
}

function heal(): Step {
  return { kind: 'heal' }
}

function newcomer(drawn: Drawn, key: string): Step {
  drawn.alive.add(drawn.count++)
  return drawn.random.chance(0.5) ? { kind: 'newcomer' } : { kind: 'stranger', key }
}

function ending(drawn: Drawn, kind: 'leave' | 'death', machine: number): Step | undefined {
  if (drawn.alive.size <= LEAST) return undefined
  drawn.alive.delete(machine)
  return { kind, machine }
}

export function textOf(step: Step): string {
  const { kind, ...fields } = step
  return [kind, ...Object.entries(fields).map(([name, value]) => `${name} ${String(value)}`)].join(' ')
}
