/**
 * Random schedules of writes, deletes, partial deliveries, leaves, ends, pruning, compaction and
 * restarts, through the engine and through an oracle that knows what each writer had really seen.
 */
import { expect, test } from 'vitest'
import type { ReplicaId } from '../crdt/time/replica-id.ts'
import { VersionVector } from '../crdt/time/version-vector.ts'
import { type MemoryFiles, memoryFiles } from '../src/log/files/memory-files.ts'
import { OperationReader } from '../src/operation/envelope/operation-reader.ts'
import { type Random, seededRandom } from '../testing/world/random.ts'
import { type VirtualEnv, virtualEnv } from '../testing/world/virtual-env.ts'
import { TestEngine } from '../test/engine/engine-fixture.ts'
import { byExtent } from '../test/support/extent.ts'
import { SEED } from './seed.ts'

const SCHEDULES = byExtent({ some: 15, all: 150, soak: 20_000 })
const STEPS = 60
const KEYS = ['set:1', 'set:2']

/** What one operation did, and what its writer really had at that time. */
interface Written {
  readonly name: string
  readonly key: string
  /** `undefined`: it deletes the key. */
  readonly element: string | undefined
  readonly had: ReadonlySet<string>
}

interface Replica {
  engine: TestEngine
  files: MemoryFiles
  readonly has: Set<string>
  hasLeft: boolean
  announced: VersionVector
}

class Schedule {
  readonly #random: Random
  readonly #env: VirtualEnv
  readonly #replicas: Replica[] = []
  readonly #written = new Map<string, Written>()
  /** Everything that was ever sent. */
  readonly #museum = new Map<string, Uint8Array>()
  #lives = 0
  prunedCount = 0

  constructor(seed: number | string) {
    this.#random = seededRandom(seed)
    this.#env = virtualEnv({ seed: this.#random.uint32() })
  }

  get #living(): Replica[] {
    return this.#replicas.filter(({ hasLeft }) => !hasLeft)
  }

  async run(): Promise<void> {
    for (let i = 0; i < 3; i++) await this.#open()
    for (let i = 0; i < STEPS; i++) await this.#step()
    await this.#rest()
  }

  async #open(): Promise<Replica> {
    const home = `r${this.#replicas.length}`
    const files = memoryFiles({ persistent: true, home, bootId: '1' })
    const replica = {
      engine: await this.#openOn(files),
      files,
      has: new Set<string>(),
      hasLeft: false,
      announced: new VersionVector(),
    }
    this.#replicas.push(replica)
    return replica
  }

  #openOn(files: MemoryFiles): Promise<TestEngine> {
    const env = this.#env.fork({ label: `life ${++this.#lives}` })
    return TestEngine.open({ env, files, isReplicated: true })
  }

  async #step(): Promise<void> {
    const random = this.#random
    const replica = random.pick(this.#living)
    const dice = random.below(100)
    if (dice < 30) await this.#write(replica)
    else if (dice < 62) await this.#deliver(random.pick(this.#replicas), replica)
    else if (dice < 80) this.#round()
    else if (dice < 85) await replica.engine.engine.compact()
    else if (dice < 90) this.#end(replica)
    else if (dice < 93) await this.#join(replica)
    else if (dice < 97) this.#leave(replica)
    else await this.#restart(replica)
    await this.#env.advance(random.below(20))
    this.#check(replica)
  }

  async #write(replica: Replica): Promise<void> {
    const key = this.#random.pick(KEYS)
    const { engine } = replica
    const isDelete = this.#random.chance(0.35)
    const element = isDelete ? undefined : `e${this.#written.size}`
    const had = new Set(replica.has)
    const { replica: id } = engine.engine
    const before = engine.engine.applied.get(id)
    if (element === undefined) await engine.write(key, 'delete')
    else await engine.write(key, 'add', [element])
    const name = `${id}:${engine.engine.applied.get(id)}`
    // To delete what is not there writes nothing.
    if (engine.engine.applied.get(id) === before) return
    this.#written.set(name, { name, key, element, had })
    replica.has.add(name)
  }

  /** The first so many of what one has that the other lacks. */
  async #deliver(from: Replica, to: Replica, count: number = this.#random.between(1, 12)): Promise<void> {
    if (from === to) return
    await from.engine.engine.outlet.settled()
    let left = count
    const reader = new OperationReader(to.engine.engine.table)
    for (const envelope of from.engine.envelopes()) {
      if (left <= 0) return
      const { replica, sequence } = reader.load(envelope, 0, envelope.length)
      const name = `${replica}:${sequence}`
      this.#museum.set(name, envelope)
      const verdict = to.engine.admit(envelope)
      if (verdict === 'applied') {
        to.has.add(name)
        left--
      } else expect([verdict, name]).toEqual([verdict === 'early' ? 'early' : 'duplicate', name])
    }
  }

  /** Everybody announces and hears the announcements, as far as acknowledgements can be used. */
  #round(): void {
    for (const replica of this.#living) {
      const { engine } = replica.engine
      const members = this.#membersOf(replica)
      const isUsable = members.every(
        ({ engine: { engine: of } }) => of.applied.get(of.replica) <= engine.applied.get(of.replica),
      )
      if (!isUsable) continue
      const acknowledged = members.map((member) => engine.ended.normalised(member.engine.engine.applied))
      replica.announced.join(least(engine.applied, acknowledged))
    }
    const announced = this.#replicas.map((replica) => replica.announced.copy())
    for (const replica of this.#living) {
      const { engine } = replica.engine
      const told = this.#membersOf(replica).map(
        (member) => announced[this.#replicas.indexOf(member)] ?? new VersionVector(),
      )
      const mine = engine.ended.stripped(replica.announced)
      engine.stabilise(
        least(
          mine,
          told.map((vector) => engine.ended.normalised(vector)),
        ),
      )
    }
  }

  /** All but those that this one knows to have left. */
  #membersOf(replica: Replica): Replica[] {
    const { departures, ended } = replica.engine.engine
    return this.#replicas.filter((other) => {
      const id = other.engine.engine.replica
      return other !== replica && departures.of(id) !== 'left' && !ended.isPruned(id)
    })
  }

  #end({ engine: { engine } }: Replica): void {
    const ends: [ReplicaId, number][] = []
    for (const id of engine.departures.left()) if (!engine.ended.has(id)) ends.push([id, engine.applied.get(id)])
    if (ends.length > 0) engine.endIds(ends)
    this.#note(engine.replica, engine.applied.get(engine.replica))
  }

  /** What writes no key has no effect that could be missed. */
  #note(id: ReplicaId, sequence: number): void {
    const name = `${id}:${sequence}`
    const holder = this.#replicas.find(({ engine }) => engine.engine.replica === id)
    if (!this.#written.has(name)) holder?.has.add(name)
  }

  async #join(sponsor: Replica): Promise<void> {
    if (this.#replicas.length >= 9) return
    const replica = await this.#open()
    replica.engine.install(sponsor.engine)
    for (const name of sponsor.has) replica.has.add(name)
  }

  #leave(replica: Replica): void {
    if (this.#living.length < 3) return
    const { engine } = replica.engine
    engine.leave()
    this.#note(engine.replica, engine.applied.get(engine.replica))
    replica.hasLeft = true
  }

  async #restart(replica: Replica): Promise<void> {
    const { log } = replica.engine.engine
    await log.settled('logged')
    if (this.#random.chance(0.3)) await replica.engine.engine.checkpoint()
    replica.files = replica.files.copy()
    replica.engine = await this.#openOn(replica.files)
  }

  #check({ engine, has }: Replica): void {
    for (const key of KEYS) {
      const operations = [...this.#written.values()].filter((one) => one.key === key && has.has(one.name))
      const deletes = operations.filter(({ element }) => element === undefined)
      const wanted = operations.filter(
        (one) => one.element !== undefined && !deletes.some(({ had }) => had.has(one.name)),
      )
      const value = (engine.get(key) as ReadonlySet<string> | undefined) ?? new Set()
      expect([...value].sort()).toEqual(wanted.map(({ element }) => element).sort())
    }
  }

  async #rest(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      for (const to of this.#living) for (const from of this.#replicas) await this.#deliver(from, to, Infinity)
      for (const to of this.#living) for (const from of this.#replicas) await this.#deliver(from, to, Infinity)
      const [first] = this.#living
      if (first !== undefined) this.#end(first)
      for (const to of this.#living) for (const from of this.#living) await this.#deliver(from, to, Infinity)
      this.#round()
      this.#round()
      for (const replica of this.#living) await replica.engine.engine.compact()
      await this.#env.advance(100)
    }
    for (const replica of this.#living) this.#judge(replica)
  }

  #judge(replica: Replica): void {
    const living = this.#living.map(({ engine }) => engine.engine.replica)
    const { engine } = replica.engine
    for (const [id] of engine.applied.entries()) expect(living).toContain(id)
    this.prunedCount += [...engine.ended.pruned()].length
    this.#check(replica)
    const before = replica.engine.state()
    for (const envelope of this.#museum.values()) replica.engine.admit(envelope)
    expect(replica.engine.state()).toEqual(before)
  }
}

/** The pointwise minimum. */
function least(own: VersionVector, others: readonly VersionVector[]): VersionVector {
  return others.reduce((vector, other) => vector.meet(other), own.copy())
}

test('what replicas wrote that have left counts as it should, wherever and whenever they are pruned', async () => {
  let prunedCount = 0
  for (let i = 0; i < SCHEDULES; i++) {
    const schedule = new Schedule(`${SEED} ${i}`)
    await schedule.run().catch((error: unknown) => {
      throw new Error(`schedule ${i} of seed ${SEED}`, { cause: error })
    })
    prunedCount += schedule.prunedCount
  }
  expect(prunedCount).toBeGreaterThan(SCHEDULES)
}, 600_000)
