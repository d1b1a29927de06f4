/**
 * Money goes from account to account on three replicas, while they are killed and cut off, and the
 * ordered log loses answers and repeats records. Whoever looks, in whatever way, sees the same sum
 * (case N9, W35).
 */
import { describe, expect, it } from 'vitest'
import { register } from '../../../crdt/register.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { Warp } from '../../../src/api/public.ts'
import type { Random } from '../../../testing/world/random.ts'
import { StrongCluster, TROUBLES, type StrongMachine } from '../../support/strong-cluster.ts'

const KEYS = {
  'account:*': { strategy: register<number>(), mode: 'strong' },
  'mark:*': { strategy: register<number>(), mode: 'strong' },
} as const
type Keys = typeof KEYS

const ACCOUNTS = Array.from({ length: 100 }, (_, i) => `account:${i}` as const)
const TOTAL = 100 * ACCOUNTS.length

/** What a client was told of one transaction. */
interface Told {
  readonly id: number
  readonly outcome: 'ok' | 'failed' | 'indeterminate' | 'died'
  readonly dot?: Dot
}

class Bank {
  readonly cluster: StrongCluster<Keys>
  readonly told: Told[] = []
  readonly wrong: string[] = []
  readonly looks = { snapshots: 0, reads: 0, batches: 0, gaps: 0, projections: 0 }
  #isOpen = true
  #count = 0

  constructor(seed: string, every: number) {
    this.cluster = new StrongCluster({
      seed,
      keys: KEYS,
      names: ['a', 'b', 'c'],
      log: TROUBLES,
      options: () => ({ strong: { timeoutMs: 1000, snapshotEvery: every } }),
      opened: (machine, warp) => this.#look(machine, warp),
    })
  }

  async run(durationMs: number): Promise<void> {
    const { cluster } = this
    await cluster.start()
    await cluster.until(this.#fill())
    const random = cluster.random.fork('clients')
    const clients = cluster.machines.flatMap((machine) =>
      [0, 1, 2].map((i) => this.#client(machine, random.fork(`${machine.name}${i}`))),
    )
    await cluster.until(cluster.torment(durationMs), 2 * durationMs)
    this.#isOpen = false
    cluster.heal()
    await cluster.until(Promise.all(clients))
  }

  /** All of it, however often its answer is lost. */
  async #fill(): Promise<void> {
    const [machine] = this.cluster.machines as [StrongMachine<Keys>]
    for (;;) {
      const filled = machine.warp?.transaction((tx) => {
        for (const account of ACCOUNTS) tx.set(account, 100)
      })
      try {
        await filled
        return
      } catch {
        // Setting them once more is the same.
      }
    }
  }

  async #client(machine: StrongMachine<Keys>, random: Random): Promise<void> {
    while (this.#isOpen) {
      await this.cluster.pause(random.between(1, 60))
      const { warp } = machine
      if (warp !== undefined) await this.#move(machine, warp, random)
    }
  }

  async #move(machine: StrongMachine<Keys>, warp: Warp<Keys>, random: Random): Promise<void> {
    const id = this.#count++
    const names = random.shuffled(ACCOUNTS).slice(0, random.between(2, 5))
    const [first, ...others] = names as [(typeof ACCOUNTS)[number], ...typeof ACCOUNTS]
    const isAborted = random.chance(0.3)
    const amount = random.between(1, 9)
    try {
      const moved = await machine.alive(
        warp.transaction(async (tx) => {
          const balances = await tx.getMany(names)
          if (random.chance(0.3)) await this.cluster.pause(random.between(1, 20))
          tx.set(first, (balances.get(first) ?? 0) - amount * others.length)
          for (const other of others) tx.set(other, (balances.get(other) ?? 0) + amount)
          for (const half of ['one', 'other']) tx.set(`mark:${id}:${half}`, id)
          if (isAborted) throw new Error('changed its mind')
        }),
      )
      this.told.push({ id, outcome: moved === 'died' ? 'died' : 'ok' })
    } catch (error) {
      if (!isWarpError(error) || error.outcome === 'failed') this.told.push({ id, outcome: 'failed' })
      else {
        const { replica, sequence } = error.details as { readonly [Name in keyof Dot]: Dot[Name] }
        this.told.push({ id, outcome: 'indeterminate', dot: { replica, sequence } })
      }
    }
  }

  /** Everybody who can look at a replica, for as long as it lives. */
  #look(machine: StrongMachine<Keys>, warp: Warp<Keys>): void {
    const random = this.cluster.random.fork(`looks of ${machine.name}`)
    const isThere = (): boolean => this.#isOpen && machine.warp === warp
    const heard = (looking: Promise<unknown>): void => void looking.catch((error: unknown) => this.#failed(error))
    heard(machine.alive(this.#watch(warp)))
    heard(machine.alive(this.#project(warp, random, isThere)))
    heard(machine.alive(this.#read(machine, warp, { random, isThere })))
  }

  async #watch(warp: Warp<Keys>): Promise<void> {
    const watch = warp.watch('account:*', { pendingCountMax: 300 })
    let balances = await this.#snapshot(warp)
    for await (const { changes } of watch.batches()) {
      for (const change of changes) {
        if (change.kind === 'gap') balances = await this.#snapshot(warp)
        else if (change.kind === 'value') balances.set(change.key, change.value ?? 0)
        if (change.kind === 'gap') this.looks.gaps++
      }
      this.looks.batches++
      this.#check('a batch', balances.values())
    }
  }

  async #snapshot(warp: Warp<Keys>): Promise<Map<string, number>> {
    return new Map<string, number>(await warp.getMany(ACCOUNTS, { consistency: 'stale' }))
  }

  async #project(warp: Warp<Keys>, random: Random, isThere: () => boolean): Promise<void> {
    const projection = await warp.project({
      name: 'balances',
      keys: 'account:*',
      initial: () => new Map<string, number>(),
      apply: (balances: Map<string, number>, { key, value }) => balances.set(key, (value as number | undefined) ?? 0),
    })
    while (isThere()) {
      this.looks.projections++
      this.#check('a projection', projection.state.values())
      await this.cluster.pause(random.between(1, 30))
    }
  }

  async #read(
    machine: StrongMachine<Keys>,
    warp: Warp<Keys>,
    { random, isThere }: { readonly random: Random; readonly isThere: () => boolean },
  ): Promise<void> {
    while (isThere()) {
      await this.cluster.pause(random.between(1, 60))
      if (machine.warp !== warp) return
      const consistency = random.pick(['stale', 'linearizable'] as const)
      try {
        if (random.chance(0.5)) {
          this.#check(`a ${consistency} snapshot`, (await warp.getMany(ACCOUNTS, { consistency })).values())
          this.looks.snapshots++
        } else {
          const values = await warp.transaction(async (tx) => {
            const read = new Map<string, number>()
            for (const account of random.shuffled(ACCOUNTS)) {
              read.set(account, (await tx.get(account)) ?? 0)
              if (random.chance(0.02)) await this.cluster.pause(random.between(1, 10))
            }
            // What a try has read that is given up is of one moment as well.
            this.#check('a try of a transaction', read.values())
            return read.values()
          })
          this.#check('a transaction', values)
          this.looks.reads++
        }
      } catch (error) {
        this.#failed(error)
      }
    }
  }

  #check(who: string, values: Iterable<number>): void {
    const balances = [...values]
    const sum = balances.reduce((all, one) => all + one, 0)
    // Nobody has filled the accounts yet, as far as is known there.
    if (balances.length === 0 || sum === TOTAL || balances.every((balance) => balance === 0)) return
    this.wrong.push(`${who} at ${this.cluster.line.nowMs} ms: ${sum} in ${balances.length} accounts`)
  }

  #failed(error: unknown): void {
    const isExpected =
      isWarpError(error) && ['WARP_E_TRANSPORT', 'WARP_E_CLOSED', 'WARP_E_TXN_ABORTED'].includes(error.code)
    if (!isExpected) this.wrong.push(String(error))
  }
}

async function marksOf(warp: Warp<Keys>, id: number): Promise<number> {
  return (await warp.getMany([`mark:${id}:one`, `mark:${id}:other`])).size
}

/** What clients were told, and is not so. */
async function liesOf({ cluster, told }: Bank): Promise<string[]> {
  const [a, b] = cluster.machines.map(({ warp }) => warp) as [Warp<Keys>, Warp<Keys>]
  const lies: string[] = []
  for (const { id, outcome, dot } of told) {
    const resolved = dot === undefined ? outcome : (await cluster.until(b.resolve(dot))).kind
    const marks = await cluster.until(marksOf(a, id))
    // Of what the log has never heard it is not remembered either that it never came.
    const isWhole = (resolved === 'died' || resolved === 'forgotten') && marks !== 1
    if (isWhole || (resolved === 'ok' && marks === 2) || (resolved === 'failed' && marks === 0)) continue
    lies.push(`${id}: ${outcome}, ${resolved}, and ${marks} of 2 marks`)
  }
  return lies
}

describe('money in accounts', () => {
  it.each([
    ['1', 10_000],
    ['2', 10_000],
    ['3', 20],
    ['4', 20],
  ])('is never more and never less, whoever looks (seed %s, a snapshot every %i records)', async (seed, every) => {
    const bank = new Bank(seed, every)
    const { cluster } = bank
    await bank.run(20_000)
    expect(bank.wrong).toEqual([])
    for (const { warp } of cluster.machines as readonly { readonly warp: Warp<Keys> }[]) {
      const balances = await cluster.until(warp.getMany(ACCOUNTS))
      expect([...balances.values()].reduce((sum, one) => sum + one, 0)).toBe(TOTAL)
    }
    // What was said is what has become of it, on every replica.
    expect(await liesOf(bank)).toEqual([])
    const counts: Record<string, number> = {}
    for (const { outcome } of bank.told) counts[outcome] = (counts[outcome] ?? 0) + 1
    for (const outcome of ['ok', 'failed', 'indeterminate', 'died'] as const) expect(counts[outcome]).toBeGreaterThan(0)
    for (const count of Object.values({ ...cluster.counts, ...bank.looks, gaps: 1 })) expect(count).toBeGreaterThan(0)
    await cluster.close()
  })
})
