/**
 * Transactions at random, from all replicas at once, on strong keys and on those of one process: what
 * they have read and written is explained by one order of all of them, which keeps to real time (W36).
 */
import { describe, expect, it } from 'vitest'
import { register } from '../../../crdt/register.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Warp } from '../../../src/api/public.ts'
import type { Mode } from '../../../src/keys/typed-keys.ts'
import { HistoryRecorder } from '../../../testing/history/recorder.ts'
import type { Json } from '../../../testing/history/json.ts'
import { checkIsolation } from '../../../testing/isolation/check-isolation.ts'
import type { Random } from '../../../testing/world/random.ts'
import { StrongCluster, TROUBLES, type StrongMachine } from '../../support/strong-cluster.ts'

const KEYS = {
  'strong:*': { strategy: register<readonly number[]>(), mode: 'strong' },
  'local:*': { strategy: register<readonly number[]>(), mode: 'local' },
} as const
type Keys = typeof KEYS

type Step = readonly ['r' | 'append', string, Json]

class Clients {
  readonly cluster: StrongCluster<Keys>
  readonly recorder = new HistoryRecorder()
  readonly counts = { ok: 0, failed: 0, indeterminate: 0 }
  tries = 0
  readonly #mode: Mode
  readonly #keysCount: number
  #written = 0
  #processes = 0
  isOpen = true

  constructor(seed: string, mode: 'strong' | 'local', keysCount: number) {
    this.#mode = mode
    this.#keysCount = keysCount
    this.cluster = new StrongCluster({
      ...{ seed, keys: KEYS, names: mode === 'strong' ? ['a', 'b', 'c'] : ['a'] },
      ...(mode === 'strong' ? { log: TROUBLES } : {}),
    })
  }

  async client(machine: StrongMachine<Keys>, random: Random): Promise<void> {
    let number = this.#processes++
    while (this.isOpen) {
      await this.cluster.pause(random.between(1, 30))
      const { warp } = machine
      if (warp === undefined) continue
      const outcome = await this.#run(machine, warp, { random, number })
      this.counts[outcome]++
      // Whoever does not know what became of a call is not heard again under its name.
      if (outcome === 'indeterminate') number = this.#processes++
    }
  }

  async #run(
    machine: StrongMachine<Keys>,
    warp: Warp<Keys>,
    { random, number }: { readonly random: Random; readonly number: number },
  ): Promise<'ok' | 'failed' | 'indeterminate'> {
    const steps = this.#draw(random)
    const call = this.recorder.invoke(number, { f: 'txn', value: steps })
    try {
      const done = await machine.alive(
        warp.transaction((tx) => this.#steps(tx as never, steps, random), { triesMax: 4 }),
      )
      if (done === 'died') {
        call.indeterminate()
        return 'indeterminate'
      }
      call.ok(done)
      return 'ok'
    } catch (error) {
      const outcome = isWarpError(error) ? error.outcome : 'indeterminate'
      if (outcome === 'failed') call.failed()
      else call.indeterminate()
      return outcome
    }
  }

  async #steps(
    tx: {
      get(key: string): Promise<readonly number[] | undefined>
      set(key: string, value: readonly number[]): void
    },
    steps: readonly Step[],
    random: Random,
  ): Promise<Step[]> {
    this.tries++
    const done: Step[] = []
    for (const [name, key, value] of steps) {
      if (random.chance(0.1)) await this.cluster.pause(random.between(1, 15))
      const list = (await tx.get(key)) ?? []
      if (name === 'append') tx.set(key, [...list, value as number])
      done.push([name, key, name === 'r' ? [...list] : value])
    }
    return done
  }

  #draw(random: Random): Step[] {
    return Array.from({ length: random.between(1, 4) }, () => {
      const key = `${this.#mode}:${random.below(this.#keysCount)}`
      return random.chance(0.5) ? (['r', key, null] as const) : (['append', key, ++this.#written] as const)
    })
  }
}

describe('transactions at random', () => {
  it.each([
    ['strong', '1', 5],
    ['strong', '2', 12],
    ['strong', '3', 3],
    ['local', '4', 4],
    ['local', '5', 12],
  ] as const)('of %s keys are strictly serializable (seed %s)', async (mode, seed, keysCount) => {
    const clients = new Clients(seed, mode, keysCount)
    const { cluster, counts, recorder } = clients
    await cluster.start()
    const random = cluster.random.fork('clients')
    const running = cluster.machines.flatMap((machine) =>
      Array.from({ length: 4 }, (_, i) => clients.client(machine, random.fork(`${machine.name}${i}`))),
    )
    if (mode === 'strong') await cluster.until(cluster.torment(15_000))
    else await cluster.until(cluster.pause(10_000))
    clients.isOpen = false
    cluster.heal()
    await cluster.until(Promise.all(running))
    const verdict = checkIsolation(recorder.history())
    expect(verdict.text).toBe('')
    expect(verdict.isValid).toBe(true)
    expect(counts.ok).toBeGreaterThan(200)
    // Some got into each other's way.
    expect(clients.tries).toBeGreaterThan(counts.ok + counts.failed + counts.indeterminate)
    await cluster.close()
  })
})
