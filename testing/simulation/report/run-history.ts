/**
 * What happened in a simulated run, as an omniscient observer writes it down: every call with its
 * outcome, every event in the life of a machine, everything that an engine reported. Checkers judge
 * it beside the values that the replicas show.
 *
 * A *machine* has a disk and a clock; a *life* is one process on it, from its opening to its end.
 * Machines are named `m0`, `m1`, …; lives and disks of a machine are counted from 1. Times are
 * virtual milliseconds since the start.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { WarpEvent } from '../../../src/api/public.ts'
import type { At } from '../../../src/history/explanation.ts'
import type { Ack, Receipt } from '../../../src/store/write-road/receipt.ts'
import type { DataIntent } from '../data/data-intent.ts'
import type { OrderIntent } from '../order/order-intent.ts'
import type { TransferIntent } from '../transfers.ts'

/** What somebody wants to do at a machine. Plain data, so that it can be shown and left out. */
export type Intent =
  | {
      readonly kind: 'write'
      readonly key: string
      readonly verb: string
      readonly parameters: readonly unknown[]
      readonly ack?: Ack
    }
  | { readonly kind: 'delete'; readonly key: string; readonly ack?: Ack }
  | { readonly kind: 'read'; readonly key: string }
  | { readonly kind: 'getAt'; readonly key: string; readonly at: At }
  | { readonly kind: 'log'; readonly key: string }
  | { readonly kind: 'compact' }
  /** `takeMax`: the consumer takes so many changes and then stalls for good. */
  | { readonly kind: 'watch'; readonly pattern: string; readonly takeMax: number }
  | TransferIntent
  | DataIntent
  | OrderIntent

/**
 * `'ok'`: the promise has settled. `'failed'`: certainly nothing was written. `'indeterminate'`:
 * the process died first, or the error says so. `'pending'`: the machine has not answered yet.
 */
export type CallOutcome = 'pending' | 'ok' | 'failed' | 'indeterminate'

export interface CallRecord {
  readonly id: number
  readonly machine: string
  readonly life: number
  readonly disk: number
  readonly intent: Intent
  readonly startedMs: number
  /** The machine's wall clock then. */
  readonly wallMs: number
  /** Infinity until it ends. */
  endedMs: number
  outcome: CallOutcome
  /** Of a write that is `ok`. */
  receipt?: Receipt
  /**
   * What a read, `getAt` or `log` gave: the value, or the records. Frozen where it is plain. Of what
   * was said of data that is kept elsewhere: a `Said`. Of what needs an ordered log: order/order-intent.ts.
   */
  value?: unknown
  /** From its beginning to its end the machine had no connection to the ordered log. */
  isCutOff?: boolean
  /** By this it can be asked what became of a write of which nobody was told that. */
  dot?: Dot
  /** The error's code, or its name where it has none. */
  error?: string
}

export type LifeEventKind =
  | 'opening'
  | 'opened'
  /** Opening threw; `detail` is the error's code. */
  | 'refused'
  | 'closed'
  /** For good, in order; what it has not handed on goes with it. */
  | 'left'
  /** The process died; what it had written to the disk is there. */
  | 'killed'
  /** The machine died; what was not flushed is there in parts. */
  | 'power failure'
  /** The next life begins with an empty disk. */
  | 'disk lost'
  /** The next life begins with an older copy of the disk. */
  | 'restored'
  /** Bits of a file were flipped while nobody looked. */
  | 'bit rot'
  /** Another machine, named in `detail`, begins with a copy of this one's disk. */
  | 'copied'
  | 'paused'
  | 'resumed'
  /** An I/O error has ended writing; the process will be restarted. */
  | 'poisoned'

export interface LifeEvent {
  readonly atMs: number
  readonly machine: string
  readonly life: number
  readonly disk: number
  readonly kind: LifeEventKind
  /** What the build reads, or the one that is started next. */
  readonly format: number
  readonly replica?: ReplicaId
  readonly detail?: string
}

export interface EngineReport {
  readonly atMs: number
  readonly machine: string
  readonly life: number
  readonly event: WarpEvent
}

/** Somebody holds a lock, as far as its process knows. */
export interface Hold {
  readonly call: number
  readonly machine: string
  readonly life: number
  readonly name: string
  readonly token: number
  /** 0: together with others that read. */
  readonly permits: number
  /** When it was asked for, and when its process had it. */
  readonly askedMs: number
  readonly fromMs: number
  /** Until when it is held for certain, unless it ends sooner; `Infinity` where nobody says. */
  untilMs: number
  /** Released or lost, as far as its process knows. */
  endedMs: number
}

/** A write under a fence that was acknowledged. */
export interface FencedWrite {
  readonly key: string
  readonly token: number
  readonly number: number
  readonly dot: Dot | undefined
}

/** All accounts, as somebody has seen them at one moment. */
export interface SeenSum {
  readonly atMs: number
  readonly machine: string
  readonly by: string
  readonly sum: number
  readonly count: number
}

export class RunHistory {
  readonly calls: CallRecord[] = []
  readonly lives: LifeEvent[] = []
  readonly reports: EngineReport[] = []
  readonly holds: Hold[] = []
  readonly sums: SeenSum[] = []
  /** Writes under a fence that were acknowledged. */
  readonly fenced: FencedWrite[] = []
  /** A replica has taken in a write under a fence behind one with a greater token. */
  readonly outOfOrder: { readonly machine: string; readonly key: string; readonly tokens: readonly number[] }[] = []
  /** What each user's session has seen, as its token says. */
  readonly sessions: Map<number, string> = new Map()
  /** When the clock of the ordered log was set, and by how much. */
  readonly orderJumps: { readonly atMs: number; readonly byMs: number }[] = []
  /**
   * How often each kind of fault and each rare moment has really occurred; `… during writes` beside
   * it counts those while a call was open.
   */
  readonly occurred: Map<string, number> = new Map()
  /**
   * How often a check held back because the documentation does not promise what it would have asked
   * for. By reason.
   */
  readonly exempted: Map<string, number> = new Map()
  /** Kinds of faults that may happen until `healedMs`. */
  readonly planned: Set<string> = new Set()
  /** Everything was made good then. */
  healedMs: number = Infinity
  /** Where there is an ordered log: since when what is asked is asked at rest, and the last questions. */
  restedMs: number = Infinity
  askedMs: number = Infinity

  count(what: string, by = 1): void {
    this.occurred.set(what, (this.occurred.get(what) ?? 0) + by)
  }

  exempt(reason: string, by = 1): void {
    this.exempted.set(reason, (this.exempted.get(reason) ?? 0) + by)
  }
}
