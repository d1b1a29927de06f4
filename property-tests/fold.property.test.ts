/**
 * The engine's fold against the definition: whatever order operations come in, however often, and whenever somebody reads, evicts or
 * rebuilds in between, each replica shows what the fold from scratch shows over the operations that it holds.
 *
 * Every strategy's histories contain operations of a stranger as well, whose payloads no verb makes.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { counter } from '../crdt/counter.ts'
import { custom } from '../crdt/custom.ts'
import { max } from '../crdt/extremum.ts'
import { list } from '../crdt/sequence/list.ts'
import { map } from '../crdt/map.ts'
import { multiValue } from '../crdt/multi-value.ts'
import { register } from '../crdt/register.ts'
import { set } from '../crdt/set.ts'
import type { AnyStrategy } from '../crdt/strategy.ts'
import { text } from '../crdt/sequence/text.ts'
import { VersionVector } from '../crdt/time/version-vector.ts'
import { Fleet, msOf, payloadBytes, valueText, type Member, type Sent } from './engine-fleet.ts'
import { OPERATION_KIND } from '../src/operation/envelope/kinds.ts'
import type { VerbCall } from '../testing/laws/law-operation.ts'
import * as intents from './intents.ts'
import { picky } from './oracles.ts'
import { runs } from './seed.ts'

type Step =
  | {
      readonly kind: 'write'
      readonly at: number
      readonly intent: VerbCall
      readonly skew: number
      readonly lifeMs: number
    }
  | { readonly kind: 'delete' | 'touch' | 'strange touch'; readonly at: number; readonly skew: number }
  | { readonly kind: 'strange'; readonly at: number; readonly payload: number; readonly skew: number }
  | {
      readonly kind: 'guest'
      readonly at: number
      readonly pick: number
      readonly unseen: number
      readonly skew: number
    }
  | { readonly kind: 'deliver'; readonly at: number; readonly pick: number }
  | { readonly kind: 'exchange'; readonly at: number; readonly from: number }
  | { readonly kind: 'read' | 'drop' | 'check' | 'compact' | 'keep'; readonly at: number }

/** What no verb makes: not even bytes of a value, and values of all kinds. */
const STRANGE_PAYLOADS = [
  Uint8Array.of(0xc1),
  Uint8Array.of(),
  Uint8Array.of(0x91),
  payloadBytes(null),
  payloadBytes([]),
  payloadBytes('a'),
  payloadBytes([7, 'a', [1]]),
  payloadBytes({ a: 1 }),
]

const at = fc.nat({ max: 2 })
const skew = fc.nat({ max: 12 })

const touches = fc.record({
  kind: fc.constantFrom('touch' as const, 'touch' as const, 'strange touch' as const),
  at,
  skew,
})

const looks = ['read', 'drop', 'check'] as const

function steps(
  writes: fc.Arbitrary<VerbCall>,
  others: readonly ('compact' | 'keep' | (typeof looks)[number])[] = looks,
  lives: readonly number[] = [0],
  more: readonly fc.WeightedArbitrary<Step>[] = [],
): fc.Arbitrary<Step[]> {
  const step = fc.oneof(
    ...more,
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('write' as const),
        at,
        intent: writes,
        skew,
        lifeMs: fc.constantFrom(...lives),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), at, skew }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver' as const), at, pick: fc.nat({ max: 40 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('exchange' as const), at, from: at }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom(...others), at }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('guest' as const),
        at,
        pick: fc.nat({ max: 40 }),
        unseen: fc.nat({ max: 255 }),
        skew,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('strange' as const),
        at,
        payload: fc.nat({ max: STRANGE_PAYLOADS.length - 1 }),
        skew,
      }),
    },
  )
  return fc.array(step, { minLength: 1, maxLength: 24 })
}

class Play {
  readonly #fleet: Fleet
  readonly #sent: Sent[] = []

  constructor(fleet: Fleet) {
    this.#fleet = fleet
    fleet.begin()
  }

  // eslint-disable-next-line complexity -- a catalogue
  async take(step: Step, i: number): Promise<void> {
    const member = this.#fleet.members[step.at] as Member
    if ('skew' in step) this.#fleet.at(member, i + step.skew)
    switch (step.kind) {
      case 'write':
        this.#keep(member.write(step.intent.verb, fitted(step.intent, member), step.lifeMs))
        return
      case 'delete':
        this.#keep(member.write(undefined, []))
        return
      case 'touch':
        this.#keep(member.touch())
        return
      case 'strange touch':
        this.#strangeTouch(member, i + step.skew)
        return
      case 'strange':
        this.#strange(member, STRANGE_PAYLOADS[step.payload] as Uint8Array, i + step.skew)
        return
      case 'guest':
        this.#guest(member, step, i + step.skew)
        return
      case 'deliver':
        if (this.#sent.length > 0) this.#deliver(member, this.#sent[step.pick % this.#sent.length] as Sent)
        return
      case 'exchange':
        for (const sent of (this.#fleet.members[step.from] as Member).held) this.#deliver(member, sent)
        return
      case 'compact':
        member.engine.stabilise(this.#stable())
        await member.engine.compact()
        this.check(member)
        return
      case 'keep':
        member.keep()
        return
      default:
        this.#look(step.kind, member)
    }
  }

  /** Delivers everything to everybody, in an order that `pick` shuffles, and looks at it from all sides. */
  async finish(pick: number): Promise<void> {
    const order = shuffled(this.#sent, pick)
    for (const member of this.#fleet.members) {
      for (let round = 0; round <= order.length && member.held.length < order.length; round++) {
        for (const sent of order) this.#deliver(member, sent)
        if (round === 0 && pick % 2 === 0) void member.value
      }
      expect(member.held.length).toBe(order.length)
      this.check(member)
      member.drop()
      this.check(member)
      await this.#checkPast(member, pick)
    }
  }

  check(member: Member): void {
    expect(this.#fleet.actual(member)).toEqual(this.#fleet.expected(member.held, member.env.now()))
  }

  /** `getAt` is the fold of what had arrived by then, or of what had been stamped by then. */
  async #checkPast(member: Member, pick: number): Promise<void> {
    const { held, history, key } = member
    const [first] = held
    if (first === undefined || member.keyspace.retain !== 'all') return
    const version = pick % (held.length + 1)
    const valueOf = (sent: readonly Sent[], ms: number): string => this.#fleet.expected(sent, ms).value
    expect(valueText(await history.getAt(key, { version }))).toBe(valueOf(held.slice(0, version), 0))
    const timeMs = msOf(held[version] ?? first) + (pick % 3)
    expect(valueText(await history.getAt(key, { timeMs }))).toBe(
      valueOf(
        held.filter((sent) => msOf(sent) <= timeMs),
        timeMs,
      ),
    )
  }

  /** What everybody holds, and whose concurrent operations everybody holds as well. */
  #stable(): VersionVector {
    const { members } = this.#fleet
    const isEverywhere = (sent: Sent): boolean => members.every(({ held }) => held.includes(sent))
    const isStable = (sent: Sent): boolean =>
      isEverywhere(sent) && this.#sent.every((other) => isEverywhere(other) || other.seen.has(sent))
    const stable = members[0]?.engine.applied.copy() ?? new VersionVector()
    const unstable = this.#sent.filter((sent) => !isStable(sent))
    return VersionVector.from(
      [...stable.entries()].map(([replica, sequence]) => {
        const first = unstable.find((sent) => sent.replica === replica)
        return [replica, first === undefined ? sequence : first.sequence - 1]
      }),
    )
  }

  #look(kind: (typeof looks)[number], member: Member): void {
    if (kind === 'read') void member.value
    else if (kind === 'drop') member.drop()
    else this.check(member)
  }

  #deliver(member: Member, sent: Sent): void {
    const { verdict, expected } = member.take(sent)
    expect(verdict).toBe(expected)
  }

  /** As no replica of this build would write it: when there is nothing to touch, or too soon. */
  #strangeTouch(member: Member, ms: number): void {
    if (!this.#hasStrangers(member)) return
    const body = { kind: OPERATION_KIND.touch, strategy: 0, payload: new Uint8Array(0), isSound: false }
    const sent = this.#fleet.strange(member, ms, body)
    this.#sent.push(sent)
    this.#deliver(member, sent)
  }

  #strange(member: Member, payload: Uint8Array, ms: number): void {
    const { code } = this.#fleet.strategy
    if (!this.#hasStrangers(member)) return
    const sent = this.#fleet.strange(member, ms, { kind: 1, strategy: code, payload, isSound: isDecodable(payload) })
    this.#sent.push(sent)
    this.#deliver(member, sent)
  }

  /** The stranger writes for somebody who has not seen all: once more what somebody has written before, or a delete. */
  #guest(member: Member, { pick, unseen }: { readonly pick: number; readonly unseen: number }, ms: number): void {
    const known = member.held.filter(({ isSound }) => isSound)
    const again = known[pick % known.length]
    if (!this.#hasStrangers(member) || again === undefined) return
    const body = {
      kind: again.isDelete ? 2 : 1,
      strategy: again.isDelete ? 0 : this.#fleet.strategy.code,
      payload: again.isDelete ? Uint8Array.of() : payloadBytes(again.payload),
      isSound: true,
    }
    const seen = member.held.filter((_sent, i) => ((unseen >> (i % 8)) & 1) === 0)
    const sent = this.#fleet.strange(member, ms, body, seen)
    this.#sent.push(sent)
    this.#deliver(member, sent)
  }

  /** The stranger's operations depend on each other, like everybody's: somebody who lacks an earlier one cannot show it the next. */
  #hasStrangers(member: Member): boolean {
    const former = this.#sent.filter(({ replica }) => replica.startsWith('fffffffe'))
    return former.every((sent) => member.held.includes(sent))
  }

  #keep(sent: Sent | undefined): void {
    if (sent !== undefined) this.#sent.push(sent)
  }
}

function isDecodable(payload: Uint8Array): boolean {
  return payload.length > 0 && payload[0] !== 0xc1 && payload[0] !== 0x91
}

/** Places in lists and texts as eighths of their length. */
function fitted({ verb, parameters }: VerbCall, member: Member): readonly unknown[] {
  const { kind } = member.keyspace.strategy
  if ((kind !== 'list' && kind !== 'text') || verb === 'push') return parameters
  const length = Array.from((member.value ?? '') as string | readonly unknown[]).length
  const [eighths, ...rest] = parameters
  const index = Math.floor(((eighths as number) * length) / 8)
  if (verb === 'insert') return [index, ...rest]
  return [index, Math.min(rest[0] as number, length - index), ...rest.slice(1)]
}

const eighths = fc.nat({ max: 8 })
const edit = (inserted: fc.Arbitrary<unknown>): fc.Arbitrary<VerbCall> =>
  fc.oneof(
    fc.tuple(eighths, inserted).map((parameters) => ({ verb: 'insert', parameters })),
    fc.tuple(eighths, fc.nat({ max: 3 })).map((parameters) => ({ verb: 'remove', parameters })),
  )

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const order = [...items]
  let state = seed
  for (let i = order.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const j = (state >>> 8) % (i + 1)
    const item = order[i] as T
    order[i] = order[j] as T
    order[j] = item
  }
  return order
}

const append = (): AnyStrategy => custom<string[]>((old, next) => [...old, ...next])
const product = (): AnyStrategy =>
  map({ price: register<number>(), tags: set<unknown>(), seen: counter(), nested: map(counter()) })
const ordered = (): AnyStrategy =>
  map({
    notes: custom<string[]>((old, next) => [...old, ...next]),
    tags: set<unknown>(),
    price: register<number>(),
    nested: map(counter()),
  })

const STRATEGIES: readonly (readonly [string, () => AnyStrategy, fc.Arbitrary<VerbCall>, number])[] = [
  ['register', () => register(), intents.setAnything, 150],
  ['multi-value', () => multiValue(), intents.setAnything, 150],
  ['counter', counter, intents.count, 150],
  ['max', () => max(), intents.setOrdered, 100],
  ['set', () => set(), intents.changeSet, 200],
  ['map of counters', () => map(counter()), intents.changeEntries(intents.count), 200],
  ['map of maps of sets', () => map(map(set())), intents.changeEntries(intents.changeEntries(intents.changeSet)), 200],
  ['record', product, intents.changeFields, 200],
  ['record in canonical order', ordered, intents.changeFields, 250],
  ['custom', append, intents.setTexts, 200],
  ['custom that may throw', picky, intents.setNumber, 200],
  ['custom with observed deletes', () => ({ ...append(), deletes: 'observed' }), intents.setTexts, 150],
  ['list', () => list(), edit(fc.nat({ max: 99 })), 100],
  ['text', () => text(), edit(fc.constantFrom('a', 'bc', '🎈')), 100],
]

test.each(STRATEGIES)('the engine folds what the definition folds: %s', async (_name, make, writes, cases) => {
  await checkFold(() => Fleet.open(make), steps(writes), cases)
})

test.each(STRATEGIES)('a state that is kept beside the log changes nothing: %s', async (_name, make, writes, cases) => {
  const others = [...looks, 'keep', 'keep', 'drop'] as const
  await checkFold(() => Fleet.open(make), steps(writes, others, [0, 0, 3]), cases)
  await checkFold(() => Fleet.open(make, { retain: { versions: 3 } }), steps(writes, [...others, 'compact']), cases / 2)
})

test.each(STRATEGIES)('compacting stable prefixes changes nothing: %s', async (_name, make, writes, cases) => {
  await checkFold(
    () => Fleet.open(make, { retain: 'latest' }),
    steps(writes, [...looks, 'compact', 'compact']),
    cases / 2,
  )
})

test.each(STRATEGIES)(
  'a life that is over leaves nothing to the next, whoever looked, folded or compacted: %s',
  async (_name, make, writes, cases) => {
    await checkFold(() => Fleet.open(make, { ttlMs: 6 }), steps(writes), cases / 2)
    await checkFold(
      () => Fleet.open(make, { ttlMs: 6, retain: 'latest' }),
      steps(writes, [...looks, 'compact', 'compact']),
      cases / 2,
    )
  },
)

test.each(STRATEGIES)(
  'operations that say how long they live are folded alike, whoever looked, folded or compacted: %s',
  async (_name, make, writes, cases) => {
    const lives = [0, 0, 2, 5, 12]
    await checkFold(() => Fleet.open(make), steps(writes, looks, lives), cases / 2)
    await checkFold(() => Fleet.open(make, { ttlMs: 6 }), steps(writes, looks, lives), cases / 4)
    await checkFold(
      () => Fleet.open(make, { retain: 'latest' }),
      steps(writes, [...looks, 'compact', 'compact'], lives),
      cases / 2,
    )
  },
)

test.each(STRATEGIES)(
  'a life that touches prolong is the same whoever looked, folded or compacted: %s',
  async (_name, make, writes, cases) => {
    const slides = { ttlMs: 6, ttl: 'sliding', sliding: 'replicas' } as const
    const more = [{ weight: 6, arbitrary: touches }]
    await checkFold(
      () => Fleet.open(make, { ...slides, retain: 'all' }),
      steps(writes, looks, [0, 0, 0, 9], more),
      cases / 2,
    )
    await checkFold(
      () => Fleet.open(make, slides),
      steps(writes, [...looks, 'compact', 'compact'], [0, 0, 0, 9], more),
      cases / 2,
    )
  },
)

async function checkFold(open: () => Promise<Fleet>, history: fc.Arbitrary<Step[]>, cases: number): Promise<void> {
  let fleet: Fleet | undefined
  const property = fc.asyncProperty(history, fc.nat(), async (taken, pick) => {
    // Histories share engines, but a failed one leaves them in no state for the next.
    const sound = fleet ?? (await open())
    fleet = undefined
    const play = new Play(sound)
    for (const [i, step] of taken.entries()) await play.take(step, i)
    await play.finish(pick)
    fleet = sound
  })
  await fc.assert(property, runs(cases))
  await fleet?.close()
}
