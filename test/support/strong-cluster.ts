/**
 * Replicas on one virtual time line that share an ordered log with troubles: they are killed, cut off
 * from the log and started again, from a seed. What their engines run is the real thing.
 */
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import type { Warp, WarpOptions } from '../../src/api/public.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import {
  memoryOrderedLogOn,
  type MemoryOrderedLog,
  type MemoryOrderedLogSettings,
} from '../../src/ports/ordered-memory/memory-ordered-log.ts'
import { openWarpOn } from '../../src/warp.ts'
import { Life } from '../../testing/simulation/life.ts'
import { MachineClock } from '../../testing/simulation/machine-clock.ts'
import { faultyFiles, type FaultyFiles } from '../../testing/world/faulty-files.ts'
import { OVERWRITING_MEMORY } from '../../testing/world/overwriting-memory.ts'
import { seededRandom, type Random } from '../../testing/world/random.ts'
import { TimeLine } from '../../testing/world/time-line.ts'

const WALL_MS = 1_700_000_000_000

export const TROUBLES = {
  ...{ delayMs: 1, jitterMs: 6, appendsLost: 0.05, answersLost: 0.1 },
  ...{ repeated: 0.05, redelivered: 0.1, holes: 0.05 },
}

export interface StrongClusterOptions<K extends KeyMap> {
  readonly seed: string
  readonly keys: K
  readonly names: readonly string[]
  readonly log?: MemoryOrderedLogSettings
  /** What is given to `openWarp` besides. */
  readonly options?: (name: string, life: Life) => Partial<WarpOptions<KeyMap>>
  /** An engine has been opened. */
  readonly opened?: (machine: StrongMachine<K>, warp: Warp<K>) => void
}

export class StrongCluster<K extends KeyMap> {
  readonly line: TimeLine = new TimeLine()
  readonly random: Random
  readonly order: MemoryOrderedLog
  readonly machines: readonly StrongMachine<K>[]
  readonly options: StrongClusterOptions<K>
  counts = { killed: 0, cut: 0, slow: 0 }

  constructor(options: StrongClusterOptions<K>) {
    this.options = options
    this.random = seededRandom(options.seed)
    const { line } = this
    const random = this.random.fork('log')
    const clock = {
      now: () => WALL_MS + line.nowMs,
      monotonic: () => line.nowMs,
      schedule: (delayMs: number, callback: () => void) => line.schedule(delayMs, callback),
      yield: () => line.yield(),
      random: (count: number) => random.bytes(count),
    }
    this.order = memoryOrderedLogOn(clock, { answerMs: 300, seed: random.below(1_000_000), ...options.log })
    this.machines = options.names.map((name) => new StrongMachine(this, name))
  }

  /** Lets `run` go on in virtual time until it settles, and no longer than `limitMs`. */
  async until<Result>(run: Promise<Result>, limitMs = 120_000): Promise<Result> {
    let isSettled = false
    const settled = (): void => void (isSettled = true)
    run.then(settled, settled)
    const end = this.line.nowMs + limitMs
    while (!isSettled) {
      if (this.line.nowMs > end) throw new Error(`nothing came of it within ${limitMs} virtual ms`)
      await this.line.advanceTo(this.line.nowMs + 5)
    }
    return run
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.line.schedule(ms, resolve))
  }

  start(): Promise<void> {
    return this.until(Promise.all(this.machines.map((machine) => machine.start())).then(() => undefined))
  }

  /** Kills machines, cuts them off from the log and slows them down, until so much time has passed. */
  async torment(durationMs: number, random: Random = this.random.fork('torment')): Promise<void> {
    const end = this.line.nowMs + durationMs
    while (this.line.nowMs < end) {
      await this.pause(random.between(100, 600))
      const machine = random.pick(this.machines)
      const trouble = random.pick(['killed', 'killed', 'cut', 'slow'] as const)
      this.counts[trouble]++
      if (trouble === 'killed') {
        machine.kill()
        await this.pause(random.between(1, 200))
        await machine.start()
      } else if (trouble === 'cut') {
        this.order.disconnect(machine.name)
        await this.pause(random.between(100, 2000))
        this.order.reconnect(machine.name)
      } else {
        // What it has written comes back to it later than it waits for.
        this.order.troubles({ slowMs: 1500 }, machine.name)
        await this.pause(random.between(200, 2000))
        this.order.troubles({ slowMs: 0 }, machine.name)
      }
    }
  }

  /** All is well from now on. */
  heal(): void {
    for (const name of Object.keys(TROUBLES)) this.order.troubles({ [name]: 0 })
    for (const { name } of this.machines) this.order.reconnect(name)
  }

  async close(): Promise<void> {
    await this.until(Promise.all(this.machines.map(async ({ warp }) => warp?.close())))
  }
}

export class StrongMachine<K extends KeyMap> {
  readonly name: string
  warp: Warp<K> | undefined
  readonly #cluster: StrongCluster<K>
  readonly #clock: MachineClock
  readonly #random: Random
  #disk: FaultyFiles
  #life: Life | undefined
  #died: Promise<'died'> = Promise.resolve('died')
  #die: () => void = () => undefined
  #lives = 0

  constructor(cluster: StrongCluster<K>, name: string) {
    this.#cluster = cluster
    this.name = name
    this.#random = cluster.random.fork(name)
    this.#clock = new MachineClock(() => cluster.line.nowMs, WALL_MS + cluster.line.nowMs, 0)
    this.#disk = faultyFiles({ seed: name, home: name })
  }

  async start(): Promise<void> {
    const { line, order, options } = this.#cluster
    const life = new Life({
      ...{ line, clock: this.#clock, random: this.#random.fork(`${this.#lives++}`), onDeath: () => undefined },
    })
    this.#life = life
    this.#died = new Promise((resolve) => {
      this.#die = () => resolve('died')
    })
    const opening = openWarpOn<KeyMap>(
      { env: life, memory: OVERWRITING_MEMORY, segmentBytes: 65_536, parts: ALL_PARTS },
      {
        ...{ keys: options.keys, log: this.#disk.store(), order: order.named(this.name), strong: { timeoutMs: 1000 } },
        ...options.options?.(this.name, life),
      } as WarpOptions<KeyMap>,
    )
    const warp = (await this.alive(opening)) as unknown as Warp<K> | 'died'
    if (warp === 'died') return
    this.warp = warp
    options.opened?.(this, warp)
  }

  /** What a promise of the engine comes to, if its process lives so long. */
  alive<Result>(promise: Promise<Result>): Promise<Result | 'died'> {
    promise.catch(() => undefined)
    return Promise.race([promise, this.#died])
  }

  kill(): void {
    this.#life?.die()
    this.#cluster.order.abandon(this.name)
    this.#disk = this.#disk.kill()
    this.warp = undefined
    this.#die()
  }
}
