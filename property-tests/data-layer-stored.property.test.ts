/**
 * Keyspaces with a primary store, against random histories: replicas write on all sides of cuts, the
 * store is slow, fails, loses answers and stands still, outsiders write past Warp and say so, replicas
 * compact, and are closed and opened on their logs.
 *
 * The oracle, at rest: every replica reads what the row holds. Without outsiders and deletes the row
 * holds each increment, and each write of a merge function, exactly once, and of a register the last
 * write. And before that, by the rule "read your writes": a register is never read as it was before
 * one's own last write, unless another one was written meanwhile.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { counter } from '../crdt/counter.ts'
import { custom } from '../crdt/custom.ts'
import { register } from '../crdt/register.ts'
import type { AnyStrategy } from '../crdt/strategy.ts'
import { memoryFiles } from '../src/log/files/memory-files.ts'
import type { Writes } from '../src/keys/source/store-source.ts'
import { add, StoreWorld, type AnyWarp } from '../test/data-layer/stored/world.ts'
import { closeAll } from '../test/support/close-all.ts'
import { byExtent } from '../test/support/extent.ts'
import { SEED } from './seed.ts'

const RUNS = byExtent({ some: 40, all: 300, soak: 5000 })

const NAMES = ['a', 'b', 'c'] as const
const KEYS = ['k:1', 'k:2'] as const

type Kind = 'register' | 'counter' | 'custom'

interface Config {
  readonly kind: Kind
  readonly writes: Writes
  /** Logs that outlive the process. */
  readonly durable: boolean
  readonly outsiders: boolean
  readonly deletes: boolean
  readonly loads: 'replica' | 'cluster'
}

type Step =
  | { readonly kind: 'write' | 'read' | 'delete' | 'outsider'; readonly by: number; readonly key: number }
  | { readonly kind: 'compact' | 'restart' | 'cut' | 'forget'; readonly by: number }
  | { readonly kind: 'heal' | 'stall' | 'resume' | 'trouble' | 'calm' }
  | { readonly kind: 'advance'; readonly ms: number }

const by = fc.nat(NAMES.length - 1)
const key = fc.nat(KEYS.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), by, key }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('read' as const), by, key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), by, key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('outsider' as const), by, key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('compact' as const, 'restart' as const), by }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'forget' as const), by }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('heal' as const, 'stall' as const, 'resume' as const, 'trouble' as const, 'calm' as const),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 3000 }) }) },
)
const config: fc.Arbitrary<Config> = fc.record({
  kind: fc.constantFrom<Kind>('register', 'counter', 'custom'),
  writes: fc.constantFrom<Writes>('behind', 'through'),
  durable: fc.boolean(),
  outsiders: fc.boolean(),
  deletes: fc.boolean(),
  loads: fc.constantFrom('replica', 'cluster'),
})

const STRATEGIES: Readonly<Record<Kind, () => AnyStrategy>> = {
  register: () => register<number>(),
  counter,
  custom: () => custom<readonly number[]>((old, next) => [...old, ...next]),
}

const CALM = { latencyMs: 1, replyMs: 0, jitterMs: 0, failure: 0, lostReply: 0 }

class History {
  readonly world: StoreWorld
  readonly #config: Config
  readonly #warps: AnyWarp[] = []
  readonly #files = NAMES.map(() => memoryFiles({ persistent: true }))
  /** Of writes that were acknowledged, and of those that may have been done. */
  readonly #sure = new Map<string, number[]>()
  readonly #perhaps = new Map<string, number[]>()
  readonly #writing: Promise<void>[] = []
  readonly #reads: Promise<unknown>[] = []
  #written = 0

  constructor(config: Config, seed: number) {
    this.world = new StoreWorld(seed)
    this.#config = config
  }

  async open(): Promise<void> {
    for (const i of NAMES.keys()) this.#warps[i] = await this.#join(i)
    await this.world.env.advance(5000)
  }

  async #join(i: number): Promise<AnyWarp> {
    const { kind, writes, durable, loads } = this.#config
    const files = this.#files[i] as ReturnType<typeof memoryFiles>
    const name = NAMES[i] as string
    const options = {
      strategy: STRATEGIES[kind](),
      writes,
      loads,
      storeTimeoutMs: 500,
      hardTimeoutMs: 2000,
      ttlMs: 20_000,
    }
    const log = durable ? { log: { name: 'memory', open: () => Promise.resolve(files) } } : {}
    return (await this.world.join(name, { ...options, ...log })).warp
  }

  async do(one: Step): Promise<void> {
    if ('key' in one) return this.#doTo(one.kind, this.#warps[one.by] as AnyWarp, KEYS[one.key] as string)
    if ('by' in one) return this.#doAt(one.kind, one.by)
    if (one.kind === 'advance') return this.world.env.advance(one.ms)
    const { network, store } = this.world
    const changes = {
      heal: () => network.heal(),
      stall: () => store.stall(),
      resume: () => store.resume(),
      trouble: () => store.set({ latencyMs: 5, replyMs: 5, jitterMs: 30, failure: 0.2, lostReply: 0.2 }),
      calm: () => store.set(CALM),
    }
    changes[one.kind]()
  }

  async #doTo(kind: 'write' | 'read' | 'delete' | 'outsider', warp: AnyWarp, of: string): Promise<void> {
    if (kind === 'write') return this.#write(warp, of)
    if (kind === 'outsider') return this.#outsider(warp, of)
    if (kind === 'read') this.#reads.push(warp.get(of).catch(ignore))
    if (kind === 'delete' && this.#config.deletes) this.#reads.push(warp.delete(of).catch(ignore))
    return this.world.env.runUntilIdle()
  }

  async #doAt(kind: 'compact' | 'restart' | 'cut' | 'forget', i: number): Promise<void> {
    const warp = this.#warps[i] as AnyWarp
    if (kind === 'restart') return this.#restart(i)
    if (kind === 'compact') await warp.compact()
    if (kind === 'forget') warp.invalidateLocal('k:*')
    if (kind === 'cut') this.world.network.partition([[NAMES[i] as string], NAMES.filter((_, other) => other !== i)])
  }

  async #write(warp: AnyWarp, of: string): Promise<void> {
    const number = ++this.#written
    const { kind } = this.#config
    const perhaps = note(this.#perhaps, of)
    perhaps.push(number)
    const value = kind === 'custom' ? [number] : number
    const writing = kind === 'counter' ? add(warp, of, number) : warp.set(of, value)
    this.#writing.push(
      writing.then(
        () => void note(this.#sure, of).push(number),
        (error: unknown) => {
          const { outcome } = error as { readonly outcome?: string }
          if (outcome === 'failed') perhaps.splice(perhaps.indexOf(number), 1)
        },
      ),
    )
    await this.world.env.runUntilIdle()
  }

  async #outsider(warp: AnyWarp, of: string): Promise<void> {
    if (!this.#config.outsiders) return
    const number = ++this.#written
    this.world.put(of, this.#config.kind === 'custom' ? [number] : number)
    this.#reads.push(warp.invalidate(of).catch(ignore))
    await this.world.env.runUntilIdle()
  }

  async #restart(i: number): Promise<void> {
    if (!this.#config.durable) return
    const warp = this.#warps[i] as AnyWarp
    await closeAll(this.world.env, [warp])
    await Promise.all(this.#writing)
    this.world.members.splice(
      this.world.members.findIndex((member) => member.warp === warp),
      1,
    )
    this.#warps[i] = await this.#join(i)
  }

  async end(): Promise<void> {
    const { world } = this
    world.network.heal()
    world.store.resume()
    world.store.set(CALM)
    await world.env.advance(120_000)
    await Promise.all([...this.#writing, ...this.#reads])
    for (const of of KEYS) await this.#judge(of)
    for (const warp of this.#warps) await warp.compact()
    for (const of of KEYS) await this.#judge(of)
    await world.close()
  }

  async #judge(of: string): Promise<void> {
    const row = this.world.row(of)
    for (const [i, warp] of this.#warps.entries()) {
      const read = warp.get(of)
      await this.world.env.advance(100)
      expect(await read, `${NAMES[i]} reads ${of}`).toEqual(row)
      expect(warp.stats().stores?.[0]?.unstoredKeysCount).toBe(0)
    }
    if (!this.#config.outsiders && !this.#config.deletes) this.#judgeWrites(of, row)
  }

  #judgeWrites(of: string, row: unknown): void {
    const [sure, perhaps] = [note(this.#sure, of), note(this.#perhaps, of)]
    const { kind } = this.#config
    if (kind === 'register') {
      if (perhaps.length > 0 && sure.length > 0) expect(perhaps).toContain(row)
      return
    }
    const present = kind === 'custom' ? ((row ?? []) as number[]) : sumsOf(perhaps, sure, (row ?? 0) as number)
    expect([...present].sort((a, b) => a - b)).toEqual([...new Set(present)].sort((a, b) => a - b))
    for (const number of sure) expect(present, `write ${number} of ${of}`).toContain(number)
    for (const number of present) expect(perhaps).toContain(number)
  }
}

/** Which of the numbers that may have been added make the sum; what is sure is among them. */
function sumsOf(perhaps: readonly number[], sure: readonly number[], sum: number): readonly number[] {
  const open = perhaps.filter((number) => !sure.includes(number))
  const rest = sum - sure.reduce((total, number) => total + number, 0)
  for (let mask = 0; mask < 2 ** open.length; mask++) {
    const chosen = open.filter((_, i) => (mask & (1 << i)) !== 0)
    if (chosen.reduce((total, number) => total + number, 0) === rest) return [...sure, ...chosen]
  }
  throw new Error(`${sum} is no sum of ${sure.join('+')} with some of ${open.join(', ')}`)
}

function note(map: Map<string, number[]>, of: string): number[] {
  const known = map.get(of)
  if (known !== undefined) return known
  const list: number[] = []
  map.set(of, list)
  return list
}

function ignore(): void {
  // What the store makes of it is judged at rest.
}

test('at rest the store holds every write once, and every replica reads what it holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      config,
      fc.array(step, { minLength: 5, maxLength: 60 }),
      fc.integer({ min: 1, max: 1_000_000 }),
      async (chosen, steps, seed) => {
        const history = new History(chosen, seed)
        await history.open()
        for (const one of steps) await history.do(one)
        await history.end()
      },
    ),
    { numRuns: RUNS, seed: SEED },
  )
})
