/**
 * The check of one log by itself, in the order in which trust is earned: bytes, records, what they
 * say of each other, checkpoints, values. The folder below is never written: the log opens an
 * overlay of it, first without its checkpoints, so that every record is read.
 *
 * Memory: the key table and the dots (16 bytes an operation), a few segments, and one key's
 * operations at a time.
 */
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { Env } from '../ports/env.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace, Keyspaces } from '../keys/keyspace.ts'
import type { LogFiles } from '../ports/files.ts'
import { Log, segmentOf, type LogEvent, type LogReplay } from '../log/log.ts'
import { overlayFiles } from '../log/files/overlay-files.ts'
import { segmentName } from '../log/segments/segment.ts'
import { PausedWork } from '../operation/budget.ts'
import { ReplicaTable } from '../operation/replica-table.ts'
import { Recovered } from '../store/recovered.ts'
import type { Position } from '../operation/position.ts'
import { Formats } from '../operation/envelope/formats.ts'
import { checkCheckpointFiles, checkShortcut, isCheckpoint } from './checkpoint-check.ts'
import type { ComparedLog } from './compare-logs.ts'
import type { CheckedLog, CheckProgress } from './finding.ts'
import { FoldCheck } from './fold-check.ts'
import { salvage } from './salvage.ts'
import { StructureCheck, type Report } from './structure.ts'

/** Records between two turns of the event loop: about a millisecond. */
const RECORDS_PER_STEP = 1024

export interface LogAuditOptions {
  readonly name: string
  readonly files: LogFiles
  readonly env: Env
  readonly keyspaces: Keyspaces
  /** Whether `keyspaces` says what the keys mean. */
  readonly folds: boolean
  /** The newest format that is read. Default: this build's. */
  readonly format?: number | undefined
  readonly report: Report
  /** Lets other work proceed; throws when the check is to be given up. */
  readonly pause: (progress: CheckProgress) => Promise<void>
}

export class LogAudit {
  readonly #options: LogAuditOptions
  readonly #table: ReplicaTable
  readonly #open: Log[] = []
  #end: Recovered
  #structure: StructureCheck | undefined
  #log: Log | undefined
  #folds: FoldCheck | undefined
  #foldedKeysCount = 0

  constructor(options: LogAuditOptions) {
    this.#options = options
    this.#table = new ReplicaTable(new Formats(options.format))
    this.#end = new Recovered(options.keyspaces, this.#table)
  }

  /** Throws `WARP_E_LOG_FOREIGN`, `WARP_E_LOG_VERSION`, `WARP_E_STORAGE`, `WARP_E_ABORTED`. */
  async run(): Promise<void> {
    await this.#pause('opening', 0, 1)
    const { files, report } = this.#options
    const log = await this.#openLog(overlayFiles(files, { hides: isCheckpoint }), {
      restore: () => undefined,
      record: (record) => this.#replay(record),
    })
    const checkpoint = checkCheckpointFiles(files, report, this.#table.formats.highest)
    if (log === undefined) {
      await salvage({ ...this.#options, table: this.#table, checkpoint })
      return
    }
    this.#log = log
    if (log.recovery.created) throw noLog(this.#options.name)
    if (checkpoint !== undefined) await this.#checkShortcut()
    await this.#readAll(log)
    this.#folds = new FoldCheck({ log, table: this.#table, keys: this.#end.keys, report })
    if (this.#options.folds) await this.#foldAll(this.#folds)
  }

  /** For the comparison with others; `undefined` if the log could not be read as a whole. */
  get compared(): ComparedLog | undefined {
    if (this.#log === undefined || this.#structure === undefined || this.#folds === undefined) return undefined
    const { dots } = this.#structure
    return { name: this.#options.name, log: this.#log, table: this.#table, dots, end: this.#end, folds: this.#folds }
  }

  summary(): CheckedLog {
    const { meta, applied, keys } = this.#end
    return {
      name: this.#options.name,
      replica: meta?.shared,
      bytes: this.#log?.stats().bytes ?? 0,
      operationsCount: this.#structure?.liveCount ?? 0,
      keysCount: keys.size,
      snapshotsCount: this.#structure?.snapshotsCount ?? 0,
      foldedKeysCount: this.#foldedKeysCount,
      applied: Object.fromEntries<number>(applied.sorted()),
    }
  }

  async close(): Promise<void> {
    for (const log of this.#open) await log.close()
  }

  #replay(record: Parameters<LogReplay['record']>[0]): void {
    try {
      this.#end.record(record)
    } catch (error) {
      // The pass over the structure reads it again, and reports it.
      if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
    }
  }

  /** `undefined`, and reported, if the log is damaged. */
  async #openLog(files: LogFiles, replay: LogReplay, observe = this.#observe): Promise<Log | undefined> {
    try {
      const format = this.#table.formats.highest
      const log = await Log.open({ files, env: this.#options.env, observe, format }, replay)
      this.#open.push(log)
      return log
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOG_CORRUPT')) throw error
      const { file, offset } = error.details
      const place = typeof file === 'string' ? { file } : {}
      this.#options.report('damaged', error.message, typeof offset === 'number' ? { ...place, offset } : place)
      return undefined
    }
  }

  readonly #observe = (event: LogEvent): void => {
    if (event.kind !== 'tail-cut') return
    const { position, bytes, records } = event
    const message = `the log ends in ${bytes} bytes that are not a whole record, and ${records} records behind: a torn write, cut off at the next opening`
    this.#options.report('tail', message, placeOf(position))
  }

  async #checkShortcut(): Promise<void> {
    const byCheckpoint = new Recovered(this.#options.keyspaces, this.#table)
    const replay: LogReplay = {
      restore: (body, budget) => budget.finish(byCheckpoint.restoreSteps(body, budget)),
      record: (record) => byCheckpoint.record(record),
    }
    const log = await this.#openLog(overlayFiles(this.#options.files), replay, ignore)
    if (log === undefined) return
    await log.close()
    const work = new PausedWork(() => this.#pause('opening', 1, 1))
    const [{ report }, { ended }] = [this.#options, this.#table]
    await work.finish(checkShortcut({ byCheckpoint, byRecords: this.#end, report, ended }, work))
  }

  async #readAll(log: Log): Promise<void> {
    const { keyspaces, report } = this.#options
    const place: Report = (kind, message, about = {}) =>
      report(kind, message, about.offset === undefined ? about : { ...about, ...placeOf(about.offset) })
    const structure = new StructureCheck({ log, table: this.#table, end: this.#end, keyspaces, report: place })
    this.#structure = structure
    const { segments } = log.stats()
    const first = log.segments()[0]?.number ?? 1
    for (let position: Position = 0; position < log.end;) {
      let left = RECORDS_PER_STEP
      position = log.scan(position, (record) => {
        structure.visit(record)
        return --left > 0
      })
      await this.#pause('reading', segmentOf(position) - first, segments)
    }
    const work = new PausedWork(() => this.#pause('reading', segments, segments))
    await work.finish(structure.finish(work))
  }

  async #foldAll(folds: FoldCheck): Promise<void> {
    const { keyspaces } = this.#options
    const { keys } = this.#end
    let done = 0
    const pause = (): Promise<void> => this.#pause('folding', done, keys.size)
    const work = new PausedWork(pause)
    await pause()
    for (const slot of keys.occupied()) {
      done++
      const keyspace = this.#keyspaceAt(slot)
      if (keyspace !== keyspaces.unregistered && (await work.finish(folds.check(slot, keyspace, work))))
        this.#foldedKeysCount++
      await work.spendKey()
    }
  }

  #keyspaceAt(slot: Slot): Keyspace {
    return this.#options.keyspaces.list[this.#end.keys.keyspace[slot] as number] as Keyspace
  }

  #pause(phase: CheckProgress['phase'], done: number, total: number): Promise<void> {
    return this.#options.pause({ log: this.#options.name, phase, done, total })
  }
}

/**
 * A position as people find it: the file, and the offset that it has in a segment that was never
 * rewritten.
 */
export function placeOf(position: Position): { readonly file: string; readonly offset: number } {
  return { file: segmentName(segmentOf(position)), offset: position >>> 0 }
}

export function noLog(name: string): WarpError {
  return new WarpError('WARP_E_LOG_FOREIGN', `${name} holds no log; name the folder that a replica writes to`)
}

function ignore(): void {
  // The first opening has reported what this one sees again.
}
