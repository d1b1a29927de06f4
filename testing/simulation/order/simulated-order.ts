/**
 * The ordered log of a simulated world: one for all machines, in virtual time, reached by each of them
 * over a link of its own. It outlives every process. What goes wrong with it goes wrong with those
 * links, so that a witness that has no troubles sees every record as it got its place.
 */
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Bookmark, OrderedLog, OrderedLogLink } from '../../../src/ports/ordered-log.ts'
import type { OrderedLogTroubles } from '../../../src/ports/ordered-memory/log-troubles.ts'
import { type MemoryOrderedLog, memoryOrderedLogOn } from '../../../src/ports/ordered-memory/memory-ordered-log.ts'
import type { OrderView } from '../../checkers/checker.ts'
import type { Random } from '../../world/random.ts'
import type { TimeLine } from '../../world/time-line.ts'
import type { Life } from '../life.ts'
import { WALL_START_MS } from '../machine-clock.ts'
import type { CallRecord, Intent, RunHistory } from '../report/run-history.ts'
import { Witness } from './witness.ts'
import { processOrder } from './process-order.ts'
import { Seen } from './seen.ts'

/** What a log is like in which all is well. */
export const CALM_ORDER: Required<OrderedLogTroubles> = {
  ...{ delayMs: 1, jitterMs: 2, appendsLost: 0, answersLost: 0, repeated: 0, redelivered: 0, holes: 0 },
  ...{ snapshotsLost: 0, slowMs: 0, batchRecords: 512 },
}

export interface SimulatedOrderOptions {
  readonly line: TimeLine
  readonly random: Random
  readonly history: RunHistory
}

export class SimulatedOrder implements OrderView {
  readonly log: MemoryOrderedLog
  readonly partitionsCount: number
  /** How the engines are set up. */
  readonly timeoutMs: number
  readonly snapshotEvery: number
  readonly witness: Witness = new Witness()
  readonly seen: Seen = new Seen()
  /** Writes of which nobody was told what became of them, and that can be asked for. */
  readonly unknown: CallRecord[] = []
  readonly #history: RunHistory
  readonly #line: TimeLine
  readonly #machines = new Set<string>()
  /** Since when. */
  readonly #cut = new Map<string, number>()
  #troubles: OrderedLogTroubles = CALM_ORDER
  #skewMs = 0
  /** How far each machine has come in each partition. */
  readonly #reached = new Map<string, number[]>()
  #told: BeginTold | undefined

  constructor({ line, random, history }: SimulatedOrderOptions) {
    this.#history = history
    this.#line = line
    this.partitionsCount = random.pick([1, 1, 3])
    this.timeoutMs = random.pick([400, 1000, 3000])
    this.snapshotEvery = random.pick([20, 100, 10_000])
    const clock = {
      now: () => Math.floor(WALL_START_MS + line.nowMs + this.#skewMs),
      monotonic: () => line.nowMs,
      schedule: (delayMs: number, callback: () => void) => line.schedule(delayMs, callback),
      yield: () => line.yield(),
      random: (count: number) => random.bytes(count),
    }
    this.log = memoryOrderedLogOn(clock, {
      ...{ partitions: this.partitionsCount, barriers: random.pick(['asked', 'records'] as const) },
      ...{ answerMs: random.pick([100, 300, 5000]), seed: random.uint32() },
    })
    ignoreOutcome(this.witness.follow(this.log.named('witness')))
  }

  /** The log as one process has it. */
  orderFor(machine: string, life: Life): OrderedLog {
    if (!this.#machines.has(machine)) {
      this.#machines.add(machine)
      this.log.troubles(this.#troubles, machine)
    }
    return processOrder(this.#noting(machine, this.log.named(machine)), life)
  }

  get nowMs(): number {
    return this.#line.nowMs
  }

  /** The process of that machine is gone. */
  gone(machine: string): void {
    this.log.abandon(machine)
  }

  /** For all machines, or for one. */
  set(troubles: OrderedLogTroubles, machine?: string): void {
    const { holes, ...rest } = troubles
    // Which offsets are left out is no matter of a link.
    if (holes !== undefined) this.log.troubles({ holes })
    if (machine !== undefined) {
      this.log.troubles(rest, machine)
      return
    }
    this.#troubles = { ...this.#troubles, ...rest }
    for (const name of this.#machines) this.log.troubles(rest, name)
  }

  /** Cuts machines off. Each is cut off as often as somebody wants that. */
  cut(machines: readonly string[]): void {
    for (const name of machines) {
      if (!this.#cut.has(name)) this.#cut.set(name, this.#line.nowMs)
      this.log.disconnect(name)
    }
  }

  mend(machines: readonly string[]): void {
    for (const name of machines) {
      this.#cut.delete(name)
      this.log.reconnect(name)
    }
  }

  /** Whether it has had no connection since then. */
  isCutSince(machine: string, sinceMs: number): boolean {
    return (this.#cut.get(machine) ?? Infinity) <= sinceMs
  }

  holds({ replica, sequence }: Dot): boolean {
    const { partitionsCount: count } = this
    return this.witness.count(sequence % count, replica, Math.floor(sequence / count)) > 0
  }

  /** Somebody sets the clock of the log. */
  jump(byMs: number): void {
    this.#skewMs += byMs
    this.#history.orderJumps.push({ atMs: this.#line.nowMs, byMs })
  }

  /** All is well from now on. */
  heal(): void {
    this.set(CALM_ORDER)
    this.mend([...this.#cut.keys()])
  }

  /** How far a machine has come in a partition: by the records that it was handed, its folder, or a snapshot. */
  reached(machine: string, partition: number): number {
    return this.#reached.get(machine)?.[partition] ?? 0
  }

  /** From now on `told` hears where machines begin to read, when they are opened or have taken a snapshot. */
  onBegin(told: BeginTold): void {
    this.#told = told
  }

  /** What has been drawn, as somebody at that machine does it: by what has been seen there. */
  made(machine: string, intent: Intent): Intent {
    if (intent.kind === 'cas') return { ...intent, expected: this.seen.expected(machine, intent) }
    if (intent.kind !== 'resolve') return intent
    const asked = this.unknown.at(-1 - intent.back) ?? this.unknown.at(-1)
    if (asked?.dot === undefined) return { kind: 'locks' }
    return { ...intent, of: asked.id, dot: asked.dot }
  }

  /** A call has ended. `error`: what it was told. */
  ended(call: CallRecord, error: unknown): void {
    this.seen.note(call)
    if (this.isCutSince(call.machine, call.startedMs)) call.isCutOff = true
    if (call.outcome !== 'indeterminate' || !(error instanceof WarpError)) return
    const { replica, sequence } = error.details
    if (typeof replica !== 'string' || typeof sequence !== 'number') return
    call.dot = { replica: replica as Dot['replica'], sequence }
    this.unknown.push(call)
  }

  #noting(machine: string, order: OrderedLog): OrderedLog {
    const reached = this.#reached.get(machine) ?? []
    this.#reached.set(machine, reached)
    const watch: ReaderWatch = {
      begins: (partition, after) => {
        reached[partition] = after?.offset ?? 0
        if (after !== undefined) this.#told?.(machine, partition, after)
      },
      // Some come once more.
      handed: (partition, { offset }) => (reached[partition] = Math.max(reached[partition] ?? 0, offset)),
    }
    return { ...order, open: async (receiver) => watched(await order.open(receiver), watch) }
  }
}

type BeginTold = (machine: string, partition: number, after: Bookmark) => void

interface ReaderWatch {
  readonly begins: (partition: number, after: Bookmark | undefined) => void
  readonly handed: (partition: number, last: Bookmark) => void
}

/** The same link, whose readers are watched. */
function watched(link: OrderedLogLink, { begins, handed }: ReaderWatch): OrderedLogLink {
  return {
    ...{ identity: link.identity, partitionsCount: link.partitionsCount, recordBytesMax: link.recordBytesMax },
    promises: link.promises,
    append: (...record) => link.append(...record),
    barrier: (...partition) => link.barrier(...partition),
    follow(partition, after, reader) {
      begins(partition, after)
      return link.follow(partition, after, {
        records: (batch) => {
          const last = batch.at(-1)
          if (last !== undefined) handed(partition, last)
          return reader.records(batch)
        },
        trimmed: (firstOffset) => reader.trimmed(firstOffset),
        broken: (error) => reader.broken(error),
      })
    },
    saveSnapshot: (...snapshot) => link.saveSnapshot(...snapshot),
    loadSnapshot: (partition) => link.loadSnapshot(partition),
    trim: (...place) => link.trim(...place),
    close: () => link.close(),
  }
}
