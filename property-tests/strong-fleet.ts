/**
 * Three replicas of strong keys in virtual time, on one ordered log with the troubles of a broker, and clients that call them one call at a
 * time each. What the clients saw is a history; `testing/checkers/strong` says whether it can be explained.
 */
import { counter, register, set } from '../crdt/index.ts'
import { isWarpError, type WarpError } from '../crdt/warp-error.ts'
import type { Dot } from '../crdt/time/dot.ts'
import { ALL_PARTS } from '../src/api/all-parts.ts'
import type { Warp, WarpEvent } from '../src/api/public.ts'
import type { KeyMap } from '../src/keys/typed-keys.ts'
import {
  memoryOrderedLogOn,
  type MemoryOrderedLog,
  type MemoryOrderedLogSettings,
} from '../src/ports/ordered-memory/memory-ordered-log.ts'
import { openWarpOn } from '../src/warp.ts'
import { HistoryRecorder, type OpenCall } from '../testing/history/recorder.ts'
import type { History } from '../testing/history/history.ts'
import type { Json } from '../testing/history/json.ts'
import { Life } from '../testing/simulation/life.ts'
import { MachineClock } from '../testing/simulation/machine-clock.ts'
import { processOrder } from '../testing/simulation/order/process-order.ts'
import { faultyFiles, type FaultyFiles } from '../testing/world/faulty-files.ts'
import { OVERWRITING_MEMORY } from '../testing/world/overwriting-memory.ts'
import { type Random, seededRandom } from '../testing/world/random.ts'
import { TimeLine } from '../testing/world/time-line.ts'
import { type Act, type Client, inputOf, isConflict, lifeOf, perform, UPDATE_TRIES } from './strong-acts.ts'

export const STRONG_KEYS = {
  'doc:*': { strategy: register<number>(), mode: 'strong' },
  'brief:*': { strategy: register<number>(), mode: 'strong', ttlMs: 2000 },
  'sum:*': { strategy: counter(), mode: 'strong' },
  'tags:*': { strategy: set<number>(), mode: 'strong' },
} as const satisfies KeyMap

/** Registered later, on each replica at another time. */
const LATE = { pattern: 'late:*', definition: { strategy: register<number>(), mode: 'strong' } } as const

export const TIMEOUT_MS = 400
const WALL_MS = 1_700_000_000_000

export type Trouble =
  | {
      readonly kind: 'kill' | 'power failure' | 'new disk' | 'close' | 'pause' | 'compact'
      readonly replica: number
      readonly forMs: number
    }
  | { readonly kind: 'cut'; readonly replica: number | 'all'; readonly forMs: number }
  | { readonly kind: 'full disk'; readonly replica: number; readonly forMs: number }

export interface FleetOptions {
  readonly seed: number
  readonly log: MemoryOrderedLogSettings
  readonly segmentBytes?: number
  readonly snapshotEvery?: number
}

interface Waiting {
  readonly settle: (is: Json) => void
  readonly dot: Dot
  readonly failed: () => void
}

export class StrongFleet {
  readonly line = new TimeLine()
  readonly order: MemoryOrderedLog
  readonly replicas: readonly StrongReplica[]
  readonly recorder: HistoryRecorder
  readonly random: Random
  readonly snapshotEvery: number
  /** What is wrong, in sentences. */
  readonly problems: string[] = []
  /** Writes whose outcome was unknown, with what tells of it. */
  readonly unknown: Waiting[] = []
  readonly counts = new Map<string, number>()
  #openCalls = 0
  #calls = 0

  constructor({ seed, log, segmentBytes = 16_384, snapshotEvery = 10_000 }: FleetOptions) {
    this.snapshotEvery = snapshotEvery
    this.random = seededRandom(`fleet ${seed}`)
    const { line } = this
    this.recorder = new HistoryRecorder(() => line.nowMs)
    const random = this.random.fork('order')
    this.order = memoryOrderedLogOn(
      {
        now: () => Math.floor(WALL_MS + line.nowMs),
        monotonic: () => line.nowMs,
        schedule: (delayMs, callback) => line.schedule(delayMs, callback),
        yield: () => line.yield(),
        random: (count) => random.bytes(count),
      },
      { ...log, seed },
    )
    this.replicas = [0, 1, 2].map((i) => new StrongReplica(this, i, segmentBytes))
  }

  get openCalls(): number {
    return this.#openCalls
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  /** Settles when the call has ended, however it ends. */
  async call(replica: StrongReplica, client: Client, act: Act): Promise<void> {
    const { warp } = replica
    if (warp === undefined) return
    const { line } = this
    const atMs = line.nowMs
    const of = inputOf(act, client)
    const lifeMs = lifeOf(act)
    const input = { of, atMs, ...(lifeMs === undefined ? {} : { lifeMs }) }
    const call = this.recorder.invoke(`c${client.index}-${this.#calls++}`, { f: act.f, key: act.key, value: input })
    const cutAtMs = replica.cutAtMs
    this.#openCalls++
    try {
      const is = await Promise.race([perform(warp, act, of), replica.death])
      client.seen(act.key, is)
      call.ok({ is, atMs: line.nowMs })
      this.count(isConflict(is) ? 'conflict' : 'ok')
      if (cutAtMs !== undefined && cutAtMs === replica.cutAtMs)
        this.problems.push(`${replica.name}: ${act.f} ${act.key} succeeded while the log was away`)
    } catch (error) {
      this.#failed(error, call, act)
    }
    this.#openCalls--
    this.#checkTime(replica, act, atMs)
  }

  /** An update reads and writes several times, each within the limit. */
  #checkTime(replica: StrongReplica, act: Act, atMs: number): void {
    const tookMs = this.line.nowMs - atMs
    const limitMs = (act.f === 'update' ? 2 * UPDATE_TRIES : 1) * TIMEOUT_MS + replica.pausedMs(atMs) + 2
    if (tookMs > limitMs) this.problems.push(`${replica.name}: ${act.f} ${act.key} took ${tookMs} ms`)
  }

  #failed(error: unknown, call: OpenCall, { f, key }: Act): void {
    if (isWarpError(error) && error.outcome === 'failed') {
      this.count(`failed ${error.code}`)
      call.failed()
      return
    }
    if (error === DIED) this.count('died')
    else if (!isWarpError(error)) this.problems.push(`${f} ${key} threw ${String(error)}`)
    else if (this.#note(error, call)) return
    else this.problems.push(`${f} ${key}: it is not known what became of it, nor what to ask for: ${error.message}`)
    call.indeterminate()
  }

  /** Whether the error names what can be asked for. */
  #note({ code, details }: WarpError, call: OpenCall): boolean {
    this.count(`indeterminate ${code}`)
    const { replica, sequence } = details as { readonly replica?: string; readonly sequence?: number }
    if (replica === undefined || sequence === undefined) return false
    this.unknown.push({
      dot: { replica, sequence } as Dot,
      settle: (is) => call.ok({ is, atMs: this.line.nowMs }),
      failed: () => call.failed(),
    })
    return true
  }

  history(): History {
    return this.recorder.history({ model: 'strong-key' })
  }
}

const DIED = new Error('the process died')

/** The numbers of the operations of a key; those up to `from` are in a snapshot. */
export interface Seen {
  readonly from: number
  readonly sequences: readonly number[]
}

export class StrongReplica {
  readonly name: string
  readonly index: number
  readonly events: WarpEvent[] = []
  warp: Warp<KeyMap> | undefined
  life: Life | undefined
  disk: FaultyFiles
  isAway = false
  hasLate = false
  /** Since when it has no connection to the log. */
  cutAtMs: number | undefined
  death: Promise<never> = new Promise(() => undefined)
  /** What its projection has seen of each key, in order. */
  seen = new Map<string, Seen>()
  readonly #fleet: StrongFleet
  readonly #clock: MachineClock
  readonly #random: Random
  readonly #segmentBytes: number
  #die: () => void = () => undefined
  #pauses: { readonly from: number; until: number }[] = []
  #disks = 0

  constructor(fleet: StrongFleet, index: number, segmentBytes: number) {
    this.#fleet = fleet
    this.index = index
    this.name = `r${index}`
    this.#segmentBytes = segmentBytes
    this.#random = fleet.random.fork(this.name)
    this.#clock = new MachineClock(() => fleet.line.nowMs, WALL_MS, this.#random.below(1_000_000))
    this.disk = this.#newDisk()
  }

  pausedMs(sinceMs: number): number {
    return this.#pauses.reduce(
      (sum, { from, until }) => sum + Math.max(0, Math.min(until, this.#fleet.line.nowMs) - Math.max(from, sinceMs)),
      0,
    )
  }

  async open(): Promise<void> {
    const { line, order } = this.#fleet
    const { hasLate } = this
    const life = new Life({ line, clock: this.#clock, random: this.#random.fork('life'), onDeath: () => undefined })
    this.life = life
    this.death = new Promise((_, reject) => (this.#die = () => reject(DIED)))
    this.death.catch(() => undefined)
    this.disk.flushing = () => life.after(1 + this.#random.float() * 5)
    try {
      const warp = (await openWarpOn(
        { env: life, memory: OVERWRITING_MEMORY, segmentBytes: this.#segmentBytes, parts: ALL_PARTS },
        {
          keys: { ...STRONG_KEYS, ...(hasLate ? { [LATE.pattern]: LATE.definition } : {}) },
          log: this.disk.store(),
          order: processOrder(order.named(this.name), life),
          strong: { timeoutMs: TIMEOUT_MS, snapshotEvery: this.#fleet.snapshotEvery },
          cache: { entriesMax: this.#random.pick([2, 1000]) },
          observe: (event) => {
            if (!life.isAlive) return
            this.events.push(event)
            if (event.kind === 'poisoned') line.schedule(50, () => this.restart(life))
          },
        },
      )) as unknown as Warp<KeyMap>
      if (!life.isAlive) return
      await warp.project({
        name: 'order',
        initial: () => (this.seen = new Map()),
        apply: (state, { key, operation: { kind, dot } }) => {
          const before = kind === 'snapshot' ? undefined : state.get(key)
          const { from, sequences } = before ?? { from: kind === 'snapshot' ? dot.sequence : 0, sequences: [] }
          if (kind !== 'expired') state.set(key, { from, sequences: [...sequences, dot.sequence] })
          return state
        },
      })
      if (!life.isAlive) return
      this.warp = warp
      if (hasLate !== this.hasLate) await this.registerLate()
    } catch (error) {
      if (!life.isAlive) return
      life.die()
      this.order().abandon(this.name)
      this.disk = this.disk.kill()
      if (!isWarpError(error, 'WARP_E_TRANSPORT'))
        this.#fleet.problems.push(`${this.name} does not open: ${String(error)}`)
      line.schedule(300, () => {
        if (this.life === life) void this.open()
      })
    }
  }

  order(): MemoryOrderedLog {
    return this.#fleet.order
  }

  kill(how: 'kill' | 'power failure' | 'new disk'): void {
    if (this.life?.isAlive !== true) return
    this.life.die()
    this.#die()
    this.warp = undefined
    this.order().abandon(this.name)
    this.disk = how === 'kill' ? this.disk.kill() : this.disk.crash()
    if (how === 'new disk') this.disk = this.#newDisk()
  }

  /** Somebody sees to it that the process is there again. */
  restart(life: Life): void {
    if (life !== this.life) return
    this.kill('kill')
    void this.open()
  }

  /** No room beyond a few more records. */
  fill(): void {
    const used = this.disk.list().reduce((sum, name) => sum + this.disk.bytes(name).length, 0)
    this.disk.spaceBytes = used + this.#random.pick([0, 100, 3000])
  }

  async close(): Promise<void> {
    const { warp, life } = this
    if (warp === undefined || life === undefined) return
    this.warp = undefined
    await warp.close()
    if (!life.isAlive) return
    life.die()
    this.#die()
    this.order().abandon(this.name)
    this.disk = this.disk.kill()
  }

  pause(forMs: number): void {
    const { life } = this
    if (life?.isAlive !== true || life.isPaused) return
    const { line } = this.#fleet
    life.pause()
    const pause = { from: line.nowMs, until: Infinity }
    this.#pauses.push(pause)
    line.schedule(forMs, () => {
      pause.until = line.nowMs
      life.resume()
    })
  }

  async registerLate(): Promise<void> {
    this.hasLate = true
    await this.warp?.register(LATE.pattern, LATE.definition)
  }

  #newDisk(): FaultyFiles {
    return faultyFiles({ seed: `${this.#random.uint32()}`, home: `${this.name}/${this.#disks++}` })
  }
}
