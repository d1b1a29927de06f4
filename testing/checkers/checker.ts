/**
 * What judges a simulated run. A checker stands for one invariant, may watch what happens as it
 * happens, and is asked at each verification: when the replicas have come to rest after the faults,
 * in every second run again after all were compacted, then after all of them were started anew, and
 * again when every log has been replayed from its beginning. It is made anew for each run, so it
 * may remember.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { Warp } from '../../src/api/public.ts'
import type { Stats } from '../../src/api/stats.ts'
import type { CheckReport, Finding } from '../../src/audit/finding.ts'
import type { PeerReport } from '../../src/replication/replication-stats.ts'
import type { CallRecord, EngineReport, LifeEvent, RunHistory } from '../simulation/report/run-history.ts'

export interface Violation {
  /** The checker's name. */
  readonly invariant: string
  /** A sentence. */
  readonly message: string
  readonly key?: string
  readonly machine?: string
}

/** A call is told when it begins (`pending`) and when it ends. */
export interface CallEvent {
  readonly kind: 'call'
  readonly call: CallRecord
  /**
   * What the machine has in memory of a key at this moment. `undefined` if nothing, or nothing that
   * is up to date, or if it is not up.
   */
  readonly peek: (key: string) => unknown
  /** Whether the machine has taken in an operation; `false` if it is not up. */
  readonly knows: (dot: Dot) => boolean
}

/** How much a machine holds, told every few virtual seconds. */
export interface LoadEvent {
  readonly kind: 'load'
  readonly machine: string
  readonly stats: Pick<Stats, 'operations' | 'cache' | 'peers'>
  readonly bounds: LoadBounds
}

/** What was configured, and what there is. */
export interface LoadBounds {
  readonly waitingOperations: number
  readonly cacheEntries: number
  /** All other machines that have ever been there. */
  readonly peers: number
}

/** An engine reports an event. */
export interface ReportEvent {
  readonly kind: 'report'
  readonly report: EngineReport
  /** The peers that the engine has at this moment; none if it is not up. */
  readonly peers: () => readonly PeerReport[]
}

/** What happens, when it happens. */
export type RunEvent = CallEvent | LoadEvent | { readonly kind: 'life'; readonly life: LifeEvent } | ReportEvent

/**
 * A value as a replica shows it: by its canonical bytes and as it is, or the code of the error that
 * reading gave.
 */
export type Shown =
  | { readonly kind: 'value'; readonly value: unknown; readonly text: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'error'; readonly code: string }

/** A machine that is up at a verification. */
export interface MachineView {
  readonly name: string
  readonly life: number
  readonly disk: number
  readonly warp: Warp<KeyMap>
  /** All keys that anybody has ever written, as this replica shows them at this moment. */
  readonly values: ReadonlyMap<string, Shown>
}

/** A row of the simulated database, as it was written at a moment. */
export interface RowView {
  readonly atMs: number
  readonly by: 'warp' | 'outsider'
  /** `undefined`: the key was deleted. */
  readonly value: unknown
}

export interface SourcesView {
  /** All rows that a key has had, the oldest first. */
  rowsOf(key: string): readonly RowView[]
  /** What a load of a key gave that read its source at a moment. */
  versionAt(key: string, atMs: number): number
}

/** What the ordered log holds, whatever the replicas say. */
export interface OrderView {
  /** Whether it has ever had the command that a write was called by. */
  holds(dot: Dot): boolean
}

export interface Moment {
  /**
   * `'compacted'`, after every second seed's `'quiesced'`: every replica has been compacted, and
   * nobody has written meanwhile.
   */
  readonly phase: 'quiesced' | 'compacted' | 'restarted' | 'replayed'
  readonly nowMs: number
  readonly history: RunHistory
  readonly keys: KeyMap
  /**
   * Machines that are up. At `'replayed'` all logs are closed, and these are as they were last
   * seen: only `values` may be used.
   */
  readonly machines: readonly MachineView[]
  /** What has been where data is kept elsewhere. */
  readonly sources?: SourcesView
  /** Where the world has an ordered log. */
  readonly order?: OrderView
  /** At `'replayed'`: what the audit of all logs found (see src/audit/check-log.ts). */
  readonly audit?: { readonly report: CheckReport; readonly findings: readonly Finding[] }
}

export interface Checker {
  /** The invariant's id: `W01`. */
  readonly name: string
  /** Violations that show at once may be returned here. */
  observe?(event: RunEvent): readonly Violation[] | undefined
  verify(moment: Moment): readonly Violation[] | Promise<readonly Violation[]>
}

/** What a run is about, as far as it is the same from its beginning to its end. */
export interface RunSubject {
  readonly keys: KeyMap
}

/** Makes a checker for one run. */
export type CheckerFactory = (subject: RunSubject) => Checker
