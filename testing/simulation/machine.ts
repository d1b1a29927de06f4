/**
 * A machine: a disk, a clock, and one process after another. Every way in which a process can end
 * or begin is here; which of them happens when is the faults' business. The engine is the real one,
 * opened by `openWarpOn`.
 */
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import type { CloseOptions, WarpEvent, Warp, WarpOptions } from '../../src/api/public.ts'
import type { ReplicationOptions } from '../../src/replication/options.ts'
import type { TransportLink } from '../../src/ports/transport.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { FORMAT_VERSION } from '../../src/operation/envelope/format.ts'
import { openWarpOn } from '../../src/warp.ts'
import { OVERWRITING_MEMORY } from '../world/overwriting-memory.ts'
import { type FaultyFiles, faultyFiles } from '../world/faulty-files.ts'
import type { Random } from '../world/random.ts'
import type { TimeLine } from '../world/time-line.ts'
import type { DataSources } from './data/data-sources.ts'
import { Life } from './life.ts'
import { MachineClock, WALL_START_MS } from './machine-clock.ts'
import type { SimulatedOrder } from './order/simulated-order.ts'
import type { LifeEventKind } from './report/run-history.ts'
import type { Wire } from './wire.ts'

export interface MachineOptions {
  readonly name: string
  readonly line: TimeLine
  readonly random: Random
  readonly wire: Wire
  readonly keys: KeyMap
  readonly replication: ReplicationOptions
  readonly segmentBytes: number
  readonly cacheEntriesMax: number
  /** Where the data is, if it is kept elsewhere; `keys` are those of one process, then. */
  readonly data?: DataSources | undefined
  readonly copiesMax?: number | undefined
  /** The ordered log, if the world has one. */
  readonly order?: SimulatedOrder | undefined
  readonly onLife: (machine: Machine, kind: LifeEventKind, detail?: string) => void
  readonly onEvent: (machine: Machine, event: WarpEvent) => void
  readonly onStep: (machine: Machine, call: string) => void
  /** What the disk of the life that has ended did, by kind of fault. */
  readonly onDisk: (occurred: ReadonlyMap<string, number>) => void
  /** The process has died in the middle of something, as it was told to. */
  readonly onDeath: (machine: Machine, how: 'death in a disk step' | 'death at an await') => void
  /** The process cannot go on: its log is poisoned, or could not be opened. */
  readonly onStuck: (machine: Machine, code: string) => void
}

/** How a process may end. */
export type Ending = 'killed' | 'power failure'

export class Machine {
  readonly name: string
  readonly clock: MachineClock
  disk: FaultyFiles
  diskNumber = 1
  lifeNumber = 0
  /**
   * Bits of this disk have been flipped: the log may refuse to open, and what it acknowledged may
   * be gone.
   */
  hasRotted = false
  /** An older copy of its disk. */
  backup: { readonly disk: FaultyFiles; readonly atMs: number; readonly hasRotted: boolean } | undefined
  /** It will not come back by itself. */
  hasLeft = false
  /** What the build reads that its next life runs. */
  format: number = FORMAT_VERSION
  /** The same of its last life that came up. */
  formatRun: number = FORMAT_VERSION
  /** The highest that any of its lives read that came up. */
  formatHighest: number = FORMAT_VERSION
  /** A flush takes so long at least, and up to twice as long. */
  flushMs = 1
  state: 'down' | 'opening' | 'up' = 'down'
  /** Called by the merge functions and the observer of its engine: code of its users. */
  onUserCode: (() => void) | undefined
  /** Not before so many steps of the disk, the process dies in the middle of one. */
  stepsToDeath: { left: number; readonly ending: Ending } | undefined
  readonly options: MachineOptions
  #life: Life | undefined
  #warp: Warp<KeyMap> | undefined
  #link: TransportLink | undefined
  readonly #random: Random

  constructor(options: MachineOptions, disk?: FaultyFiles) {
    const { name, line, random } = options
    this.options = options
    this.name = name
    this.#random = random.fork('machine')
    this.clock = new MachineClock(() => line.nowMs, WALL_START_MS + line.nowMs, this.#random.below(1_000_000))
    this.disk = disk ?? this.newDisk()
  }

  get life(): Life | undefined {
    return this.#life
  }

  /** The engine, if it is open and its process runs. */
  get warp(): Warp<KeyMap> | undefined {
    return this.state === 'up' && this.#life?.isPaused === false ? this.#warp : undefined
  }

  /** Whether there is a process that could be paused or killed. */
  get isAlive(): boolean {
    return this.#life?.isAlive === true
  }

  get home(): string {
    return `${this.name}/${this.diskNumber}`
  }

  newDisk(): FaultyFiles {
    return faultyFiles({ seed: `${this.#random.uint32()} ${this.name} disk`, home: this.home })
  }

  /**
   * Begins a life. Settles when the engine is open or has refused; never if the process dies first.
   */
  async start(): Promise<void> {
    const { line, replication, segmentBytes, cacheEntriesMax, copiesMax, wire, name, data, order } = this.options
    const { format } = this
    this.lifeNumber++
    const random = this.#random.fork(`life ${this.lifeNumber}`)
    const life = new Life({ line, clock: this.clock, random, onDeath: () => this.#die('killed', 'death at an await') })
    this.#life = life
    const keys = data?.keysFor(life) ?? this.options.keys
    this.state = 'opening'
    this.#prepareDisk(life)
    this.options.onLife(this, 'opening')
    try {
      const warp = await openWarpOn(
        { env: life, memory: OVERWRITING_MEMORY, segmentBytes, format, parts: ALL_PARTS },
        {
          keys: merging(keys, () => life.isAlive && this.onUserCode?.()),
          log: this.disk.store(),
          transports: [wire.transport(name, life, (link) => this.#linked(life, link))],
          replication,
          cache: { entriesMax: cacheEntriesMax },
          ...(copiesMax === undefined ? {} : { copies: { entriesMax: copiesMax } }),
          ...(order === undefined ? {} : orderedBy(order, name, life)),
          observe: (event) => {
            if (!life.isAlive) return
            this.options.onEvent(this, event)
            this.onUserCode?.()
          },
        },
      )
      if (!life.isAlive) return
      this.#warp = warp
      this.state = 'up'
      this.options.onLife(this, 'opened')
      this.formatRun = format
      this.formatHighest = Math.max(this.formatHighest, format)
    } catch (error) {
      if (!life.isAlive) return
      this.#refused(error)
    }
  }

  /** The process, or the whole machine, is gone from one step to the next. */
  end(ending: Ending): void {
    const life = this.#life
    if (life?.isAlive !== true) return
    life.die()
    this.stepsToDeath = undefined
    this.#unlink(this.#random.chance(0.5))
    this.#leaveDisk(ending === 'killed' ? this.disk.kill() : this.disk.crash())
    if (ending === 'power failure') this.clock.restartMonotonic(this.#random.below(1_000_000))
    this.#ended()
    this.options.onLife(this, ending)
    // It was on its way out, and does not come back.
    if (this.hasLeft) this.options.onLife(this, 'left')
  }

  /** Closes the engine as it should be. Settles when it is closed, or never if the process dies. */
  async close(options?: CloseOptions): Promise<void> {
    const warp = this.#warp
    const life = this.#life
    if (warp === undefined || life === undefined) return
    this.state = 'opening'
    let detail: string | undefined
    await warp.close(options).catch((error: unknown) => (detail = codeOf(error)))
    if (!life.isAlive) return
    life.die()
    this.#unlink(true)
    this.#leaveDisk(this.disk.kill())
    this.#ended()
    this.options.onLife(this, 'closed', detail)
  }

  /** Closes the engine and does not come back. `isSaid`: it tells the others so. */
  async leave(isSaid: boolean): Promise<void> {
    this.hasLeft = true
    await this.close({ leave: isSaid })
    this.options.onLife(this, 'left')
  }

  /** Between two lives: the next one begins with this disk instead. */
  replaceDisk(disk: FaultyFiles | undefined, why: 'disk lost' | 'restored', hasRotted = false): void {
    this.diskNumber++
    this.disk = disk ?? this.newDisk()
    this.hasRotted = hasRotted
    this.options.onLife(this, why)
  }

  /** Bits of the disk have been flipped, while no process used it. */
  rotted(): void {
    this.hasRotted = true
    this.options.onLife(this, 'bit rot')
  }

  pause(): void {
    if (this.#life?.isAlive !== true || this.#life.isPaused) return
    this.#life.pause()
    this.options.onLife(this, 'paused')
  }

  resume(): void {
    if (this.#life?.isPaused !== true) return
    this.#life.resume()
    this.options.onLife(this, 'resumed')
  }

  #die(ending: Ending, how: 'death in a disk step' | 'death at an await'): void {
    this.end(ending)
    this.options.onDeath(this, how)
  }

  #prepareDisk(life: Life): void {
    this.disk.flushing = () => life.after(this.flushMs * (1 + this.#random.float()))
    this.disk.onStep = (call) => {
      this.options.onStep(this, call)
      const death = this.stepsToDeath
      if (death !== undefined && --death.left <= 0) this.#die(death.ending, 'death in a disk step')
    }
  }

  #leaveDisk(next: FaultyFiles): void {
    this.disk.onStep = undefined
    this.options.onDisk(this.disk.occurred)
    this.disk = next
  }

  #linked(life: Life, link: TransportLink): void {
    if (life.isAlive) this.#link = link
    else this.options.wire.remove(this.name, link, false)
  }

  #unlink(isNoticed: boolean): void {
    if (this.#link !== undefined) this.options.wire.remove(this.name, this.#link, isNoticed)
    this.#link = undefined
  }

  #refused(error: unknown): void {
    const code = codeOf(error)
    this.#life?.die()
    this.#unlink(true)
    this.#leaveDisk(this.disk.kill())
    this.#ended()
    this.options.onLife(this, 'refused', code)
    this.options.onStuck(this, code)
  }

  #ended(): void {
    this.options.order?.gone(this.name)
    this.state = 'down'
    this.#warp = undefined
    this.#life = undefined
  }
}

function orderedBy(order: SimulatedOrder, name: string, life: Life): Pick<WarpOptions<KeyMap>, 'order' | 'strong'> {
  const { timeoutMs, snapshotEvery } = order
  return { order: order.orderFor(name, life), strong: { timeoutMs, snapshotEvery } }
}

export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}

/** The same keys, whose merge functions call `first` before they begin. */
function merging(keys: KeyMap, first: () => void): KeyMap {
  const entries = Object.entries(keys).map(([pattern, definition]): [string, KeyMap[string]] => {
    if (!('strategy' in definition)) return [pattern, mergingBy(definition, first)]
    return [pattern, { ...definition, strategy: mergingBy(definition.strategy, first) }]
  })
  return Object.fromEntries(entries)
}

function mergingBy(strategy: AnyStrategy, first: () => void): AnyStrategy {
  if (strategy.kind !== 'custom') return strategy
  const apply: AnyStrategy['apply'] = (state, operation) => {
    first()
    return strategy.apply(state, operation) as unknown
  }
  return { ...strategy, apply }
}
