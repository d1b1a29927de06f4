/**
 * Machines on virtual time, each with a disk, clocks and one process after another: processes can be
 * killed and suspended, machines cut off, clocks set, and disks can stand still or be full. Frames for a
 * process that is suspended wait for it, as in the buffers of its sockets.
 */
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import type { Warp, WarpEvent, WarpOptions } from '../../src/api/public.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { LogFile, LogFiles } from '../../src/ports/files.ts'
import { type MemoryNetwork, memoryNetworkOn } from '../../src/ports/memory-network/memory-network.ts'
import type { Transport, TransportLink } from '../../src/ports/transport.ts'
import { openWarpOn } from '../../src/warp.ts'
import { Life } from '../../testing/simulation/life.ts'
import { MachineClock } from '../../testing/simulation/machine-clock.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import type { FaultyFiles } from '../../testing/world/faulty-disk.ts'
import { seededRandom, type Random } from '../../testing/world/random.ts'
import { TimeLine } from '../../testing/world/time-line.ts'

export type AnyWarp = Warp<KeyMap>

const WALL_START_MS = 1_700_000_000_000

export interface MachinesOptions {
  readonly seed?: number
  /** What a frame takes from one machine to another, ms. */
  readonly delayMs?: number
}

export class Machines {
  readonly line = new TimeLine()
  readonly random: Random
  readonly network: MemoryNetwork
  readonly all: Machine[] = []

  constructor({ seed = 1, delayMs = 1 }: MachinesOptions = {}) {
    this.random = seededRandom(seed)
    const { line } = this
    const clock = {
      monotonic: () => line.nowMs,
      schedule: (ms: number, callback: () => void) => line.schedule(ms, callback),
      defer: (callback: () => void) => line.defer(callback),
    }
    this.network = memoryNetworkOn(clock, { seed, delayMs })
  }

  get nowMs(): number {
    return this.line.nowMs
  }

  add(name: string, options: MachineOptions): Machine {
    const machine = new Machine(name, options, this)
    this.all.push(machine)
    return machine
  }

  advance(ms: number): Promise<void> {
    return this.line.advanceTo(this.line.nowMs + ms)
  }

  /** Cuts a machine off from all others. */
  isolate(machine: Machine): void {
    for (const other of this.all) if (other !== machine) this.network.cut(machine.name, other.name)
  }

  async close(): Promise<void> {
    this.network.heal()
    const closing = Promise.all(this.all.map((machine) => machine.close()))
    await this.advance(30_000)
    await closing
  }
}

export interface MachineOptions {
  /** What its processes open. */
  readonly open: (machine: Machine) => Omit<WarpOptions<KeyMap>, 'env' | 'log' | 'transports' | 'observe'>
  /** Told by its processes. */
  readonly observe?: (machine: Machine, event: WarpEvent) => void
  /** What a process does once it has opened. */
  readonly run?: (machine: Machine, warp: AnyWarp, life: Life) => void
  readonly segmentBytes?: number
  /** The log is in memory, and gone with the process. Default `false`. */
  readonly inMemory?: boolean
}

export class Machine {
  readonly name: string
  readonly clock: MachineClock
  disk: FaultyFiles
  /** How many processes it has had. */
  livesCount = 0
  readonly #options: MachineOptions
  readonly #machines: Machines
  readonly #random: Random
  #life: Life | undefined
  #warp: AnyWarp | undefined
  #link: TransportLink | undefined
  #waitingWrites: (() => void)[] | undefined

  constructor(name: string, options: MachineOptions, machines: Machines) {
    this.name = name
    this.#options = options
    this.#machines = machines
    this.#random = machines.random.fork(name)
    this.clock = new MachineClock(() => machines.line.nowMs, WALL_START_MS, this.#random.below(1_000_000))
    this.disk = faultyFiles({ seed: `${name} ${this.#random.uint32()}`, home: name })
  }

  /** Its engine, if there is a process that runs. */
  get warp(): AnyWarp | undefined {
    return this.#life?.isPaused === false ? this.#warp : undefined
  }

  /** Whether there is a process, that may be suspended. */
  get isAlive(): boolean {
    return this.#life !== undefined
  }

  /** Starts a process. Settles when its engine is open. */
  async start(): Promise<void> {
    const { line } = this.#machines
    const random = this.#random.fork(`life ${++this.livesCount}`)
    const life = new Life({ line, clock: this.clock, random, onDeath: () => undefined })
    this.#life = life
    const { observe, run, open, inMemory = false, segmentBytes } = this.#options
    const warp = (await openWarpOn(
      { env: life, parts: ALL_PARTS, ...(segmentBytes === undefined ? {} : { segmentBytes }) },
      {
        ...open(this),
        ...(inMemory ? {} : { log: { name: this.name, open: () => Promise.resolve(this.#files()) } }),
        transports: [this.#transport(life)],
        observe: (event) => {
          if (life.isAlive) observe?.(this, event)
        },
      },
    )) as unknown as AnyWarp
    this.#warp = warp
    run?.(this, warp, life)
  }

  kill(): void {
    if (this.#life === undefined) return
    this.#life.die()
    // Nobody is told.
    for (const { name } of this.#machines.all) if (name !== this.name) this.#machines.network.cut(this.name, name)
    void this.#link?.close()
    this.#machines.network.heal(this.name)
    this.disk = this.disk.kill()
    this.#waitingWrites = undefined
    this.#life = this.#warp = this.#link = undefined
  }

  pause(): void {
    this.#life?.pause()
  }

  resume(): void {
    this.#life?.resume()
  }

  /** Writes to its disk wait until `freeDisk`. */
  blockDisk(): void {
    this.#waitingWrites ??= []
  }

  freeDisk(): void {
    const waiting = this.#waitingWrites ?? []
    this.#waitingWrites = undefined
    for (const go of waiting) go()
  }

  /** There is no room beyond `bytes`. */
  fillDisk(bytes: number): void {
    const usedBytes = this.disk.list().reduce((sum, name) => sum + this.disk.bytes(name).length, 0)
    this.disk.spaceBytes = usedBytes + bytes
  }

  emptyDisk(): void {
    this.disk.spaceBytes = Infinity
  }

  async close(): Promise<void> {
    this.freeDisk()
    this.emptyDisk()
    this.resume()
    await this.#warp?.close()
  }

  #files(): LogFiles {
    const { disk } = this
    const slow = (file: LogFile): LogFile =>
      Object.defineProperties({} as LogFile, {
        ...Object.getOwnPropertyDescriptors(file),
        write: {
          value: (offset: number, bytes: Uint8Array): void | Promise<void> => {
            const waiting = this.#waitingWrites
            if (waiting === undefined) return file.write(offset, bytes)
            return new Promise<void>((go) => waiting.push(go)).then(() => file.write(offset, bytes))
          },
        },
      })
    return {
      persistent: disk.persistent,
      bootId: disk.bootId,
      home: disk.home,
      list: () => disk.list(),
      open: (name) => slow(disk.open(name)),
      create: (name) => slow(disk.create(name)),
      rename: (from, to) => disk.rename(from, to),
      remove: (name) => disk.remove(name),
      syncNames: () => disk.syncNames(),
      close: () => disk.close(),
    }
  }

  #transport(life: Life): Transport {
    const inner = this.#machines.network.transport(this.name)
    return {
      kind: 'broadcast',
      name: inner.name,
      open: async (receiver) => {
        const link = await inner.open({
          receive: (from, bytes) => life.run(() => receiver.receive(from, bytes)),
          peerUp: (peer) => life.run(() => receiver.peerUp?.(peer)),
          peerDown: (peer) => life.run(() => receiver.peerDown?.(peer)),
        })
        this.#link = link
        return {
          frameBytesMax: link.frameBytesMax,
          broadcast: (bytes) => {
            if (life.isAlive) link.broadcast(bytes)
          },
          send: (to, bytes) => life.isAlive && link.send(to, bytes),
          close: () => (life.isAlive ? link.close() : Promise.resolve()),
        }
      },
    }
  }
}
