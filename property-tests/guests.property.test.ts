/**
 * Guests that change gateways, lose answers and connections, are away for hours and have wrong clocks, while
 * the replicas are cut off from each other. The oracle: every guest is a replica of its own. What each write
 * had seen is known from the frames that its guest had received by then, so what sets, counters and
 * multi-values must hold in the end follows from their definitions alone.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { counter, multiValue, set } from '../crdt/index.ts'
import type { Dot } from '../crdt/time/dot.ts'
import { VersionVector } from '../crdt/time/version-vector.ts'
import type { GatewayFrame } from '../src/guests/frames.ts'
import type { GuestWritten } from '../src/guests/guest/guest-types.ts'
import { byExtent } from '../test/support/extent.ts'
import { guestWorld, type Visitor } from '../test/support/guests/guest-world.ts'

const KEYS = { 'tags:*': set<string>(), 'hits:*': counter(), 'draft:*': multiValue<string>() }
type Keys = typeof KEYS

const PLACES = 3
const GUESTS = 4

type Step =
  | { readonly kind: 'add' | 'remove'; readonly who: number; readonly key: number; readonly element: number }
  | { readonly kind: 'clear' | 'increment' | 'draft'; readonly who: number; readonly key: number }
  | { readonly kind: 'go'; readonly who: number; readonly to: number }
  | { readonly kind: 'cut'; readonly who: number }
  | { readonly kind: 'clock'; readonly who: number; readonly byMs: number }
  | { readonly kind: 'partition'; readonly a: number; readonly b: number }
  | { readonly kind: 'heal' }
  | { readonly kind: 'pass'; readonly ms: number }

const who = fc.nat(GUESTS - 1)
const key = fc.nat(1)
const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), who, key, element: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove' as const), who, key, element: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), who, key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('increment' as const), who, key }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('draft' as const), who, key }) },
  // One place more than there is: offline.
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('go' as const), who, to: fc.nat(PLACES) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cut' as const), who }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('clock' as const),
      who,
      byMs: fc.integer({ min: -3_600_000, max: 3_600_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('partition' as const), a: fc.nat(PLACES - 1), b: fc.nat(PLACES - 1) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heal' as const) }) },
  {
    weight: 14,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 2, 3, 5, 20, 200) }),
  },
)

/** A write, and what its guest had seen of the key. */
interface Written {
  readonly who: number
  readonly at: number
  readonly key: string
  readonly kind: Step['kind']
  readonly value: string
  readonly seen: VersionVector
  readonly written: GuestWritten
  dot?: Dot
}

/** What a guest holds, from its frames. */
class Seen {
  #keys = new Map<string, VersionVector>()
  #isReset = false
  #fresh = new Set<string>()

  take(frame: GatewayFrame): void {
    if (frame.kind === 'welcome' && frame.isReset) {
      this.#isReset = true
      this.#fresh.clear()
    } else if (frame.kind === 'states')
      for (const { key: name, vector } of frame.states) {
        this.#keys.set(name, VersionVector.from(vector))
        this.#fresh.add(name)
      }
    else if (frame.kind === 'watermark' && this.#isReset) {
      this.#isReset = false
      for (const name of [...this.#keys.keys()]) if (!this.#fresh.has(name)) this.#keys.delete(name)
    }
  }

  of(name: string): VersionVector {
    return this.#keys.get(name)?.copy() ?? new VersionVector()
  }
}

function observed(later: Written, earlier: Written): boolean {
  if (later === earlier) return false
  if (later.who === earlier.who) return earlier.at < later.at
  const { replica, sequence } = earlier.dot as Dot
  return later.seen.includes(replica, sequence)
}

function expectedOf(name: string, writes: readonly Written[]): unknown {
  const own = writes.filter((write) => write.key === name)
  const isGone = (write: Written, by: (other: Written) => boolean): boolean =>
    own.some((other) => by(other) && observed(other, write))
  if (name.startsWith('hits')) return own.length
  if (name.startsWith('draft'))
    return own
      .filter((write) => !isGone(write, () => true))
      .map(({ value }) => value)
      .sort()
  const left = own.filter(
    (write) =>
      write.kind === 'add' &&
      !isGone(write, ({ kind, value }) => kind === 'clear' || (kind === 'remove' && value === write.value)),
  )
  return [...new Set(left.map(({ value }) => value))].sort()
}

function shown(value: unknown): unknown {
  if (value === undefined) return undefined
  return typeof value === 'number' ? value : [...(value as Iterable<string>)].sort()
}

// eslint-disable-next-line complexity -- a case for each kind of step
async function play(seed: number, steps: readonly Step[]): Promise<void> {
  const { env, places, network, visit, run, close } = await guestWorld(KEYS, { seed, places: PLACES })
  await run(3000)
  const writes: Written[] = []
  const seen = Array.from({ length: GUESTS }, () => new Seen())
  const visitors = seen.map((one, i) => visit(i % PLACES, {}, (frame) => one.take(frame)))
  const counts = seen.map(() => 0)
  const note = (step: Step & { who: number }, name: string, value: string, write: () => GuestWritten): void => {
    const before = (visitors[step.who] as Visitor<Keys>).guest.status().unsyncedCount
    const sight = (seen[step.who] as Seen).of(name)
    const written = write()
    // Nothing had to be written.
    if ((visitors[step.who] as Visitor<Keys>).guest.status().unsyncedCount === before) return
    const at = (counts[step.who] = (counts[step.who] as number) + 1)
    writes.push({ who: step.who, at, key: name, kind: step.kind, value, seen: sight, written })
  }
  let draftsCount = 0
  for (const step of steps) {
    const visitor = 'who' in step ? visitors[step.who] : undefined
    const { guest } = (visitor ?? visitors[0]) as Visitor<Keys>
    switch (step.kind) {
      case 'add':
      case 'remove': {
        const name = `tags:${step.key}` as const
        note(step, name, `${step.element}`, () => guest.key(name)[step.kind](`${step.element}`))
        break
      }
      case 'clear': {
        const name = `tags:${step.key}` as const
        note(step, name, '', () => guest.delete(name))
        break
      }
      case 'increment': {
        const name = `hits:${step.key}` as const
        note(step, name, '', () => guest.key(name).increment(1))
        break
      }
      case 'draft': {
        const name = `draft:${step.key}` as const
        const value = `${draftsCount++}`
        note(step, name, value, () => guest.set(name, value))
        break
      }
      case 'go':
        visitor!.at = step.to === PLACES ? undefined : step.to
        visitor!.cut()
        break
      case 'cut':
        visitor!.cut()
        break
      case 'clock':
        visitor!.setClock(env.now() + step.byMs)
        break
      case 'partition':
        if (step.a !== step.b) network.cut(`place-${step.a}`, `place-${step.b}`)
        break
      case 'heal':
        network.heal()
        break
      case 'pass':
        await run(step.ms)
        break
    }
  }
  network.heal()
  // What may be at one gateway waits for an answer of that one.
  for (let place = PLACES - 1; place >= 0; place--) {
    for (const visitor of visitors) {
      visitor.at = place
      visitor.cut()
    }
    await run(14_000)
  }
  for (const { guest } of visitors) expect(guest.status()).toMatchObject({ connection: 'live', unsyncedCount: 0 })
  for (const write of writes) {
    const dot = await write.written.accepted
    expect(dot, 'the name of a write').toBeDefined()
    write.dot = dot as Dot
  }
  expect(new Set(writes.map(({ dot }) => `${dot!.replica}:${dot!.sequence}`)).size).toBe(writes.length)
  for (const name of new Set(writes.map((write) => write.key))) {
    const expected = expectedOf(name, writes)
    const isNothing = Array.isArray(expected) && expected.length === 0
    for (const { warp } of places) {
      const value = shown(warp.peek(name as 'hits:1'))
      expect(value ?? [], `${name} at a replica`).toEqual(isNothing ? [] : expected)
    }
    for (const { guest } of visitors)
      expect(shown(guest.peek(name as 'hits:1')) ?? [], `${name} at a guest`).toEqual(isNothing ? [] : expected)
  }
  for (const { warp } of places) expect(warp.replicas().length).toBeLessThanOrEqual(PLACES)
  await close()
}

test('what guests have written is what replicas of their own would have written', async () => {
  await fc.assert(fc.asyncProperty(fc.nat(), fc.array(STEP, { minLength: 20, maxLength: 120, size: 'max' }), play), {
    numRuns: byExtent({ some: 10, all: 60, soak: 1000 }),
  })
})
