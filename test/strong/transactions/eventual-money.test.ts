/**
 * Money goes from account to account on three replicas, in transactions on eventual counters, while frames are lost,
 * doubled and overtaken, replicas are killed, cut off, and so long away that they take over a state. Whoever looks, in
 * whatever way, at whatever replica, sees the same sum (case N9).
 */
import { describe, expect, it } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Warp, WarpEvent } from '../../../src/api/public.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { Life } from '../../../testing/simulation/life.ts'
import type { Random } from '../../../testing/world/random.ts'
import { Machines, type Machine } from '../../data-layer/machines.ts'

const NAMES = ['a', 'b', 'c'] as const
const ACCOUNTS = Array.from({ length: 100 }, (_, i) => `account:${i}`)
const HORIZON_MS = 3000

type Keys = { readonly 'account:*': { readonly strategy: ReturnType<typeof counter> } }

interface Settings {
  readonly seed: number
  readonly retain: 'latest' | 'all'
  /** Operations that may wait at a replica. */
  readonly waitingMax: number
}

class Bank {
  readonly machines: Machines
  readonly all: readonly Machine[]
  readonly wrong: string[] = []
  readonly counts = {
    moved: 0,
    aborted: 0,
    snapshots: 0,
    tries: 0,
    pasts: 0,
    batches: 0,
    gaps: 0,
    projections: 0,
    killed: 0,
    takenOver: 0,
  }
  readonly #settings: Settings
  #isOpen = true

  constructor(settings: Settings) {
    this.#settings = settings
    this.machines = new Machines({ seed: settings.seed, delayMs: 2 })
    const { waitingMax, retain } = settings
    this.all = NAMES.map((name) =>
      this.machines.add(name, {
        segmentBytes: 65_536,
        open: () => ({
          keys: { 'account:*': { strategy: counter(), retain } } as KeyMap,
          replication: {
            batchBytes: 1024,
            bufferOperationsMax: waitingMax,
            horizonMs: HORIZON_MS,
            retryDelayMsMax: 500,
          },
        }),
        observe: (_, event: WarpEvent) => {
          if (event.kind === 'resync:done') this.counts.takenOver++
        },
        run: (machine, warp, life) => this.#run(machine, warp as unknown as Warp<Keys>, life),
      }),
    )
    for (const a of NAMES)
      for (const b of NAMES)
        if (a < b) this.machines.network.link(a, b).set({ jitterMs: 20, loss: 0.1, repeat: 0.1, reorder: 0.2 })
  }

  async until<Result>(run: Promise<Result>, mostMs = 120_000): Promise<Result> {
    let isSettled = false
    const settled = (): void => {
      isSettled = true
    }
    run.then(settled, settled)
    const end = this.machines.nowMs + mostMs
    while (!isSettled) {
      if (this.machines.nowMs > end) throw new Error(`nothing came of it within ${mostMs} virtual ms`)
      await this.machines.advance(5)
    }
    return run
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.machines.line.schedule(ms, resolve))
  }

  async run(durationMs: number): Promise<void> {
    await this.until(Promise.all(this.all.map((machine) => machine.start())))
    await this.until(this.#torment(durationMs), 4 * durationMs)
    this.machines.network.heal()
    for (const a of NAMES)
      for (const b of NAMES) if (a < b) this.machines.network.link(a, b).set({ loss: 0, repeat: 0, reorder: 0 })
    await this.machines.advance(2000)
    this.#isOpen = false
    await this.machines.advance(20_000)
  }

  async #torment(durationMs: number): Promise<void> {
    const random = this.machines.random.fork('torment')
    const end = this.machines.nowMs + durationMs
    while (this.machines.nowMs < end) {
      await this.pause(random.between(200, 900))
      const machine = random.pick(this.all)
      if (random.chance(0.5)) {
        this.counts.killed++
        machine.kill()
        await this.pause(random.between(1, 300))
        await machine.start()
      } else {
        this.machines.isolate(machine)
        await this.pause(random.pick([300, 1500, 3 * HORIZON_MS]))
        this.machines.network.heal(machine.name)
      }
    }
  }

  #run(machine: Machine, warp: Warp<Keys>, life: Life): void {
    const random = this.machines.random.fork(`${machine.name} ${machine.livesCount}`)
    const isThere = (): boolean => this.#isOpen && life.isAlive
    const heard = (looking: Promise<unknown>): void =>
      void looking.catch((error: unknown) => {
        // Nobody hears what becomes of a process that has died.
        if (life.isAlive && !isWarpError(error, 'WARP_E_CLOSED')) this.wrong.push(`${machine.name}: ${String(error)}`)
      })
    const where = `${machine.name}${machine.livesCount}`
    heard(this.#move(warp, random.fork('move'), isThere))
    heard(this.#read(machine, warp, { random: random.fork('read'), isThere }))
    heard(this.#watch(where, warp))
    heard(this.#project(where, warp, { random: random.fork('project'), isThere }))
  }

  async #move(warp: Warp<Keys>, random: Random, isThere: () => boolean): Promise<void> {
    while (isThere()) {
      await this.pause(random.between(20, 160))
      if (!isThere()) return
      const [first, ...others] = random.shuffled(ACCOUNTS).slice(0, random.pick([2, 3, 5, 40])) as [string, ...string[]]
      const [isAborted, amount] = [random.chance(0.3), random.between(1, 9)]
      const moved = warp.transaction((tx) => {
        tx.key(first as 'account:0').decrement(amount * others.length)
        for (const other of others) tx.key(other as 'account:0').increment(amount)
        if (isAborted) throw new RangeError('changed its mind')
      })
      const outcome = await moved.then(
        () => 'moved' as const,
        (error: unknown) => {
          if (!(error instanceof RangeError)) throw error
          return 'aborted' as const
        },
      )
      this.counts[outcome]++
    }
  }

  async #read(machine: Machine, warp: Warp<Keys>, { random, isThere }: Looking): Promise<void> {
    const where = machine.name
    for (;;) {
      await this.pause(random.between(1, 120))
      if (!isThere()) return
      if (random.chance(0.05)) await warp.compact()
      const way = random.below(this.#settings.retain === 'all' ? 3 : 2)
      if (way === 0) {
        this.#check(`a snapshot of ${where}`, (await warp.getMany(ACCOUNTS as 'account:0'[])).values())
        this.counts.snapshots++
      } else if (way === 1) await this.#readSlowly(where, warp, random)
      else {
        const timeMs = machine.clock.wallMs - random.below(3000)
        const values = await Promise.all(ACCOUNTS.map((account) => warp.getAt(account as 'account:0', { timeMs })))
        this.#check(`the past of ${where}`, values)
        this.counts.pasts++
      }
    }
  }

  /** A transaction that only reads, for longer than anything stays what it was. */
  async #readSlowly(where: string, warp: Warp<Keys>, random: Random): Promise<void> {
    await warp.transaction(async (tx) => {
      const balances: (number | undefined)[] = []
      for (const account of random.shuffled(ACCOUNTS)) {
        balances.push(await tx.get(account as 'account:0'))
        if (random.chance(0.05)) await this.pause(random.between(1, 40))
      }
      this.#check(`a transaction of ${where}`, balances)
      this.counts.tries++
    })
  }

  async #watch(where: string, warp: Warp<Keys>): Promise<void> {
    const watch = warp.watch('account:*', { pendingCountMax: 300 })
    const snapshot = async () => new Map<string, number>(await warp.getMany(ACCOUNTS as 'account:0'[]))
    let balances = await snapshot()
    for await (const { changes } of watch.batches()) {
      for (const change of changes) {
        if (change.kind === 'value') balances.set(change.key, change.value ?? 0)
        if (change.kind === 'gap') {
          balances = await snapshot()
          this.counts.gaps++
        }
      }
      this.counts.batches++
      this.#check(`a batch of ${where}`, balances.values())
    }
  }

  async #project(where: string, warp: Warp<Keys>, { random, isThere }: Looking): Promise<void> {
    const projection = await warp.project({
      name: 'balances',
      keys: 'account:*',
      initial: () => new Map<string, number>(),
      apply: (balances: Map<string, number>, { key, value }) => balances.set(key, (value as number | undefined) ?? 0),
    })
    while (isThere()) {
      await this.pause(random.between(1, 60))
      if (!isThere()) return
      // While it is made anew from another state it has none.
      try {
        this.#check(`a projection of ${where}`, projection.state.values())
        this.counts.projections++
      } catch (error) {
        if (!isWarpError(error)) throw error
      }
    }
  }

  #check(who: string, values: Iterable<number | undefined>): void {
    let sum = 0
    for (const value of values) sum += value ?? 0
    if (sum !== 0 && this.wrong.length < 20) this.wrong.push(`${who} at ${this.machines.nowMs} ms: ${sum}`)
  }
}

interface Looking {
  readonly random: Random
  readonly isThere: () => boolean
}

const SETTINGS: readonly Settings[] = [
  { seed: 1, retain: 'latest', waitingMax: 65_536 },
  { seed: 2, retain: 'latest', waitingMax: 400 },
  { seed: 3, retain: 'all', waitingMax: 65_536 },
  { seed: 4, retain: 'all', waitingMax: 100 },
]

describe('money in eventual accounts', () => {
  it.each(SETTINGS)('is never more and never less, whoever looks (%o)', async (settings) => {
    const bank = new Bank(settings)
    await bank.run(15_000)
    expect(bank.wrong).toEqual([])
    const all = await Promise.all(
      bank.all.map(async ({ warp }) => [...(await (warp as unknown as Warp<Keys>).getMany(ACCOUNTS as 'account:0'[]))]),
    )
    for (const balances of all) expect(balances).toEqual(all[0])
    const { gaps, pasts, takenOver, ...counts } = bank.counts
    expect(takenOver > 0).toBe(settings.retain === 'latest')
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0)
    expect(pasts > 0).toBe(settings.retain === 'all')
    expect(gaps).toBeGreaterThanOrEqual(0)
    await bank.machines.close()
  })
})
