/**
 * Compaction, restarts and crashes never change what is read. `x` writes, takes in what `c` writes, compacts whenever the plan says so, is
 * closed or killed and opened again. `y` is the oracle: it takes in what `x` does and keeps everything. After each step both read the
 * same, now and at any moment that `x` retains, and in the end so does `c`, whoever heard of what in whatever order.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type MemoryFiles, memoryFiles } from '../src/log/files/memory-files.ts'
import type { Retention } from '../src/keys/typed-keys.ts'
import { TestEngine } from '../test/engine/engine-fixture.ts'
import { seededRandom, type Random } from '../testing/world/random.ts'
import { type VirtualEnv, virtualEnv } from '../testing/world/virtual-env.ts'
import { runs } from './seed.ts'

const PREFIXES = ['reg', 'ttl', 'count', 'set', 'mv', 'text', 'list', 'kept']
const KEYS = PREFIXES.flatMap((prefix) => [`${prefix}:1`, `${prefix}:2`])

/** Writes something that makes sense to a key of its kind. */
function scribble(replica: TestEngine, random: Random, label: string): void {
  const key = random.pick(KEYS)
  if (random.chance(0.2)) {
    void replica.write(key, 'delete')
    return
  }
  const prefix = key.slice(0, key.indexOf(':'))
  if (prefix === 'count') void replica.write(key, 'increment', [random.between(1, 9)])
  else if (prefix === 'set')
    void replica.write(key, random.chance(0.6) ? 'add' : 'remove', [random.pick(['a', 'b', 'c'])])
  else if (prefix === 'text') {
    const length = ((replica.get(key) as string | undefined) ?? '').length
    if (length > 3 && random.chance(0.4)) void replica.write(key, 'remove', [random.below(length - 1), 2])
    else void replica.write(key, 'insert', [random.between(0, length), label])
  } else void replica.set(key, prefix === 'list' ? [label] : label)
}

function values(replica: TestEngine): Record<string, unknown> {
  const { keys } = replica.engine.store
  const { residency } = replica.engine.store.values
  // What has just expired may be served from memory for one tick more.
  for (const slot of keys.occupied()) if (keys.keys[slot]?.startsWith('ttl') === true) residency.outdate(slot)
  return Object.fromEntries(KEYS.map((key) => [key, normal(replica.get(key))]))
}

/** An emptied container and none look the same from far enough. */
function normal(value: unknown): unknown {
  if (value instanceof Set) return [...(value as Set<string>)].sort()
  return value
}

class World {
  readonly env: VirtualEnv
  readonly random: Random
  readonly retain: Retention
  readonly c: TestEngine
  readonly y: TestEngine
  x: TestEngine
  #mirrored = 0
  #label = 0

  private constructor(
    seed: number,
    retain: Retention,
    replicas: { x: TestEngine; c: TestEngine; y: TestEngine; env: VirtualEnv },
  ) {
    this.random = seededRandom(seed)
    this.retain = retain
    this.env = replicas.env
    this.x = replicas.x
    this.c = replicas.c
    this.y = replicas.y
  }

  static async open(seed: number, retain: Retention): Promise<World> {
    const env = virtualEnv({ seed })
    const x = await open(memoryFiles({ persistent: true, home: 'x', bootId: '1' }), env.fork({ label: 'x' }), retain)
    const c = await TestEngine.open({ retain: 'all', env: env.fork({ label: 'c' }) })
    const y = await TestEngine.open({ retain: 'all', env: env.fork({ label: 'y' }) })
    const world = new World(seed, retain, { x, c, y, env })
    // From the beginning all know each other: strangers are another story.
    await c.set('kept:c', 1)
    await world.meet()
    return world
  }

  async step(): Promise<void> {
    const roll = this.random.float()
    if (roll < 0.45) scribble(this.x, this.random, `x${this.#label++}`)
    else if (roll < 0.65) scribble(this.c, this.random, `c${this.#label++}`)
    else if (roll < 0.72) await this.x.pull(this.c)
    else if (roll < 0.79) await this.c.pull(this.y)
    else if (roll < 0.86) await this.meet()
    else if (roll < 0.9) await this.env.advance(this.random.between(1, 800))
    else if (roll < 0.95) await this.x.engine.compact()
    else if (roll < 0.97) await this.x.engine.checkpoint()
    else await this.#reopen()
    await this.mirror()
  }

  /** Everybody knows everything, and knows that everybody does. */
  async meet(): Promise<void> {
    await this.x.pull(this.c)
    await this.mirror()
    await this.c.pull(this.y)
    this.x.engine.stabilise(this.x.engine.applied)
  }

  async mirror(): Promise<void> {
    await this.x.engine.log.settled('logged')
    this.#mirrored = this.x.engine.scanOperations(this.#mirrored, ({ bytes, start, end }) => {
      expect(['applied', 'duplicate']).toContain(this.y.admit(bytes.slice(start, end)))
      return true
    })
  }

  async check(): Promise<void> {
    expect(values(this.x)).toEqual(values(this.y))
    expect(this.x.engine.applied.sorted()).toEqual(this.y.engine.applied.sorted())
    const { retain } = this
    if (typeof retain !== 'object' || !('forMs' in retain)) return
    const timeMs = this.env.now() - this.random.between(0, retain.forMs)
    for (const key of KEYS) {
      if (key.startsWith('ttl')) continue
      expect(normal(await this.x.history.getAt(key, { timeMs })), `${key} at ${timeMs}`).toEqual(
        normal(await this.y.history.getAt(key, { timeMs })),
      )
    }
  }

  async #reopen(): Promise<void> {
    const { files, env } = DISKS.get(this.x) as { files: MemoryFiles; env: VirtualEnv }
    const before = this.x.engine.replica
    const stable = this.x.engine.floor.copy()
    if (this.random.chance(0.5)) await this.x.close()
    else await this.x.engine.log.settled('logged')
    this.x = await open(files.copy(), env, this.retain)
    expect(this.x.engine.replica).toBe(before)
    expect(this.x.engine.floor.dominates(stable)).toBe(true)
  }
}

/** What each `x` lives on. */
const DISKS = new WeakMap<TestEngine, { files: MemoryFiles; env: VirtualEnv }>()

async function open(files: MemoryFiles, env: VirtualEnv, retain: Retention): Promise<TestEngine> {
  const replica = await TestEngine.open({ retain, env, files, isReplicated: true, segmentBytes: 1024 })
  DISKS.set(replica, { files, env })
  return replica
}

const retention: fc.Arbitrary<Retention> = fc.oneof(
  fc.constant<Retention>('latest'),
  fc.record({ versions: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ forMs: fc.integer({ min: 1, max: 2000 }) }),
)

test(
  'compaction and restarts change no read, now or in the retained past, whatever the history',
  { timeout: 3_600_000 },
  async () => {
    let droppedCount = 0
    const property = fc.asyncProperty(
      fc.nat(),
      retention,
      fc.integer({ min: 5, max: 120 }),
      async (seed, retain, steps) => {
        const world = await World.open(seed, retain)
        for (let step = 0; step < steps; step++) {
          await world.step()
          await world.check()
        }
        await world.meet()
        await world.x.engine.compact()
        await world.check()
        expect(values(world.c)).toEqual(values(world.y))
        droppedCount += world.y.engine.operationsCount - world.x.engine.operationsCount
      },
    )
    const cases = runs(120)
    await fc.assert(property, cases)
    expect(droppedCount).toBeGreaterThan(cases.numRuns * 3)
  },
)
