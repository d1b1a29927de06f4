/**
 * A key that several strategies have written is one strategy's, whatever order the operations come in,
 * whoever has read or compacted in between; and the engine's folds agree with the naive one on it.
 */
import { expect, test } from 'vitest'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { list } from '../../crdt/sequence/list.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { Fleet, payloadBytes, valueText, type Member, type Sent } from '../../property-tests/engine-fleet.ts'
import { FoldCheck } from '../../src/audit/fold-check.ts'
import type { Finding } from '../../src/audit/finding.ts'
import { finishNow, UNBOUNDED } from '../../src/operation/budget.ts'
import { seededRandom, type Random } from '../../testing/world/random.ts'

const OTHER = 70
const HISTORIES = 80
const STEPS = 18

/** What a member shows: its value, or whose the key is. */
function shown(member: Member): string {
  try {
    return valueText(member.value)
  } catch (error) {
    if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) return `of ${String(error.details['written'])}`
    throw error
  }
}

/** The findings of the audit, which folds everything once more in the plainest way. */
function audited({ engine, slot, keyspace }: Member): Finding[] {
  const findings: Finding[] = []
  if (slot === undefined) return findings
  const report = (kind: Finding['kind'], message: string): void => void findings.push({ kind, message } as Finding)
  const { log, table } = engine
  finishNow(new FoldCheck({ log, table, keys: engine.store.keys, report }).check(slot, keyspace, UNBOUNDED))
  return findings.filter(({ kind }) => kind !== 'unreadable')
}

class Play {
  readonly sent: Sent[] = []
  readonly #fleet: Fleet
  readonly #write: (member: Member, random: Random) => Sent | undefined
  readonly #random: Random

  constructor(fleet: Fleet, write: (member: Member, random: Random) => Sent | undefined, random: Random) {
    this.#fleet = fleet
    this.#write = write
    this.#random = random
    fleet.begin()
  }

  async step(i: number): Promise<void> {
    const random = this.#random
    const member = this.#fleet.members[random.below(3)] as Member
    this.#fleet.at(member, i + random.below(12))
    switch (random.below(9)) {
      case 0:
      case 1:
        this.#keep(this.#write(member, random))
        return
      case 2:
        this.#keep(member.write(undefined, []))
        return
      case 3:
      case 4:
        this.#other(member, i + random.below(12))
        return
      case 5:
        member.drop()
        return
      case 6:
        shown(member)
        expect(audited(member)).toEqual([])
        return
      case 7:
        member.engine.stabilise(this.#stable())
        await member.engine.compact()
        return
      default:
        for (const sent of this.sent) if (random.below(2) === 0) member.take(sent)
    }
  }

  /** Everybody has everything, in an order of its own. */
  finish(): void {
    for (const member of this.#fleet.members) {
      for (let round = 0; round <= this.sent.length; round++) {
        const order = [...this.sent].sort(() => this.#random.below(3) - 1)
        for (const sent of order) member.take(sent)
      }
      expect(member.held.length).toBe(this.sent.length)
    }
  }

  /** Another strategy's operation, by somebody who has seen what this member has. */
  #other(member: Member, ms: number): void {
    const former = this.sent.filter(({ replica }) => replica.startsWith('fffffffe'))
    if (!former.every((sent) => member.held.includes(sent))) return
    const body = { kind: 1, strategy: OTHER, payload: payloadBytes(['x']), isSound: true }
    const sent = this.#fleet.strange(member, ms, body)
    this.sent.push(sent)
    member.take(sent)
  }

  #keep(sent: Sent | undefined): void {
    if (sent !== undefined) this.sent.push(sent)
  }

  /** What everybody holds, and whose concurrent operations everybody holds as well. */
  #stable(): VersionVector {
    const { members } = this.#fleet
    const isEverywhere = (sent: Sent): boolean => members.every(({ held }) => held.includes(sent))
    const unstable = this.sent.filter(
      (sent) => !isEverywhere(sent) || this.sent.some((other) => !isEverywhere(other) && !other.seen.has(sent)),
    )
    const applied = [...(members[0] as Member).engine.applied.entries()]
    return VersionVector.from(
      applied.map(([replica, sequence]) => {
        const first = unstable.find((sent) => sent.replica === replica)
        return [replica, first === undefined ? sequence : first.sequence - 1]
      }),
    )
  }
}

const append = (): AnyStrategy => custom<string[]>((old, next) => [...old, ...next])

test.each<[string, () => AnyStrategy, (member: Member, random: Random) => Sent | undefined]>([
  ['a register', () => register(), (member, random) => member.write('set', [random.below(9)])],
  ['a counter', counter, (member, random) => member.write('increment', [random.below(9)])],
  ['a set', () => set(), (member, random) => member.write(random.below(3) > 0 ? 'add' : 'remove', [random.below(3)])],
  [
    'a map',
    () => map(counter()),
    (member, random) =>
      random.below(3) > 0 ? member.write('update', ['a', 'increment', 1]) : member.write('remove', ['a']),
  ],
  ['a list', () => list(), (member, random) => member.write('push', [random.below(9)])],
  ['a fold in order', append, (member, random) => member.write('set', [[`${random.below(9)}`]])],
])('is one strategy’s at every replica, whatever order its operations come in: %s', async (name, make, write) => {
  const fleet = await Fleet.open(make, { retain: 'latest' })
  const seen = { others: 0, own: 0 }
  for (let history = 0; history < HISTORIES; history++) {
    const play = new Play(fleet, write, seededRandom(`${name} ${history}`))
    for (let i = 0; i < STEPS; i++) await play.step(i)
    play.finish()
    const [first, ...rest] = fleet.members.map(shown)
    expect([name, history, rest]).toEqual([name, history, [first, first]])
    for (const member of fleet.members) {
      member.drop()
      expect([name, history, shown(member)]).toEqual([name, history, first])
      expect(audited(member)).toEqual([])
    }
    if (first?.startsWith('of ') === true) seen.others++
    else if (play.sent.some(({ replica }) => replica.startsWith('fffffffe'))) seen.own++
  }
  expect(seen.others).toBeGreaterThan(5)
  expect(seen.own).toBeGreaterThan(5)
})
