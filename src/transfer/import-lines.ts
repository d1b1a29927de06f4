/**
 * Reads an export (form: `export-format.ts`) into an engine. Idempotent: a dot that is here already
 * is passed over, so what was cut short is just imported again.
 *
 * - If everything that the export has compacted is here, or it has compacted nothing, its
 *   operations are admitted one by one as a peer's are.
 * - Otherwise its state is taken over as a peer's snapshot is: put aside while it is read, then
 *   put in the place of the present one. What is here and not in the export is kept; own operations among it are
 *   issued again under a new identity (see resync.ts).
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { Budget } from '../operation/budget.ts'
import type { TransferStore } from './transfer-store.ts'
import type { Env } from '../ports/env.ts'
import { readPart } from '../merge/snapshot-parts.ts'
import { checkSnapshot } from '../merge/snapshot-record.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import { EndedIds, holdsAll } from '../operation/ended-ids.ts'
import { TransactionGatherer } from '../operation/envelope/transaction-gatherer.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import { FORMAT_VERSION } from '../operation/envelope/format.ts'
import { writeVector } from '../operation/envelope/vector-entries.ts'
import { textOf } from '../operation/text.ts'
import type { SnapshotImport } from '../membership/snapshot-ports.ts'
import { ITEM, writeItem } from '../membership/snapshot-stream.ts'
import { fromBase64 } from '../../crdt/encoding/base64.ts'
import { presentOperation, presentSnapshot } from './format-1.ts'
import { parseHeader, parseLine, type ExportHeader, type ExportLine } from './export-format.ts'
import type { Imported } from './imported.ts'
import { textLines } from './text-lines.ts'
import { untilAborted } from './until-aborted.ts'

export interface ImportOptions {
  readonly env: Env
  /** Throws when the import is to end. */
  readonly check: () => void
  /** Ends the wait for what is to be imported; `check` says with what error. */
  readonly signal?: AbortSignal
}

/** Lines between two turns of the event loop, in which what was admitted is stored. */
const LINES_PER_STEP = 512
/** And so many characters of them at most: to decode them takes some milliseconds. */
const CHARACTERS_PER_STEP = 1_048_576

/**
 * Throws, with `details.line`: `WARP_E_PROTOCOL`, `WARP_E_LOG_VERSION`, `WARP_E_CLOCK_DRIFT`,
 * `WARP_E_RESYNC_REQUIRED`, `WARP_E_STORAGE_FULL`. Operations of lines before stay, and a state is
 * only taken over whole.
 */
export async function importLines(
  engine: TransferStore,
  pieces: AsyncIterable<string | Uint8Array>,
  { env, check, signal }: ImportOptions,
): Promise<Imported> {
  let intake: Intake | undefined
  let line = 0
  let [linesLeft, charactersLeft] = [LINES_PER_STEP, CHARACTERS_PER_STEP]
  try {
    for await (const { number, text } of textLines(untilAborted(pieces, signal))) {
      line = number
      if (intake === undefined) intake = new Intake(engine, parseHeader(text, engine.table.formats.highest))
      else intake.take(parseLine(text))
      charactersLeft -= text.length
      if (--linesLeft > 0 && charactersLeft > 0) continue
      ;[linesLeft, charactersLeft] = [LINES_PER_STEP, CHARACTERS_PER_STEP]
      if (engine.log.persistent) await engine.log.settled('logged')
      await env.yield()
      check()
    }
    check()
    if (intake?.isComplete !== true) throw cutShort()
    await intake.finish(new Budget(env, check))
    if (engine.log.persistent) await engine.log.settled('durable')
    return intake.imported
  } catch (error) {
    intake?.abandon()
    throw withLine(error, line)
  }
}

class Intake {
  readonly #engine: TransferStore
  readonly #reader: OperationReader
  /** The format of what is imported. */
  readonly #version: number
  /** Present while a whole state is being taken over. */
  readonly #state: SnapshotImport | undefined
  #isOver = false
  #isComplete = false
  #linesCount = { snapshots: 0, operations: 0 }
  #appliedCount = 0
  #duplicatesCount = 0
  /** Operations of one transaction come in together. */
  readonly #gatherer = new TransactionGatherer<Uint8Array>((envelopes) => this.#admit(envelopes))

  constructor(engine: TransferStore, { version, applied: exported, floor, ended }: ExportHeader) {
    // One operation of a later format would shut out every member that does not read it.
    engine.table.formats.require(version, 'importing this export')
    this.#engine = engine
    this.#version = version
    this.#reader = new OperationReader(engine.table)
    const { ended: endedHere } = engine.table
    if (!engine.needsSnapshot && engine.applied.dominates(endedHere.normalised(floor))) return
    const endedThere = ended === undefined ? new EndedIds() : endedOf(ended, engine)
    if (!holdsAll({ vector: endedHere.normalised(exported), ended: endedThere }, engine.floor)) throw bothCompacted()
    this.#state = engine.beginSnapshot(exported)
    const writer = new ByteWriter()
    writeVector(writer, floor.sorted(), engine.table)
    this.#putAside(ITEM.floor, writer.take())
    if (ended !== undefined) this.#putAside(ITEM.ended, fromBase64(ended))
  }

  get isComplete(): boolean {
    return this.#isComplete
  }

  get imported(): Imported {
    const isState = this.#state !== undefined
    return {
      operationsCount: isState ? this.#linesCount.operations : this.#appliedCount,
      duplicatesCount: this.#duplicatesCount,
      snapshotsCount: isState ? this.#linesCount.snapshots : 0,
    }
  }

  take(line: ExportLine): void {
    if (this.#isComplete) throw malformed('it stands behind the end')
    if (line.kind === 'snapshot') this.#snapshot(line)
    else if (line.kind === 'part') this.#part(line)
    else if (line.kind === 'operation') this.#operation(line)
    else this.#end(line)
  }

  async finish(budget: Budget): Promise<void> {
    if (this.#state !== undefined) await budget.finish(this.#state.steps(budget))
    this.#isOver = true
  }

  abandon(): void {
    if (!this.#isOver) this.#state?.abandon()
    this.#isOver = true
  }

  #part(line: ExportLine & { kind: 'part' }): void {
    const bytes = fromBase64(line.record)
    const { key } = readPart(bytes, 0, bytes.length, this.#engine.table)
    if (key !== line.key) throw contradictory('key')
    this.#putAside(ITEM.part, bytes)
  }

  #snapshot(line: ExportLine & { kind: 'snapshot' }): void {
    const bytes = presentSnapshot(fromBase64(line.record), this.#version, this.#engine.table)
    const { key } = checkSnapshot({ bytes, start: 0, end: bytes.length }, this.#engine.table)
    if (key !== line.key) throw contradictory('key')
    this.#linesCount.snapshots++
    this.#putAside(ITEM.snapshot, bytes)
  }

  #operation(line: ExportLine & { kind: 'operation' }): void {
    const bytes = presentOperation(fromBase64(line.envelope), this.#version)
    if ((bytes[0] ?? 0) > Math.max(this.#version, FORMAT_VERSION)) throw contradictory('format')
    const { replica, sequence, keyStart, keyEnd } = this.#reader.load(bytes, 0, bytes.length)
    if (textOf(bytes, keyStart, keyEnd) !== line.key) throw contradictory('key')
    if (replica !== line.replica || sequence !== line.sequence) throw contradictory('replica and sequence')
    this.#linesCount.operations++
    if (this.#state === undefined) this.#gatherer.add(bytes, this.#reader.part())
    else this.#putAside(ITEM.operation, bytes)
  }

  #end(line: ExportLine & { kind: 'end' }): void {
    const { snapshots, operations } = this.#linesCount
    if (line.snapshotsCount !== snapshots || line.operationsCount !== operations) {
      throw malformed(
        `${line.snapshotsCount} snapshots and ${line.operationsCount} operations were exported, and there were ` +
          `${snapshots} and ${operations}: lines are missing`,
      )
    }
    this.#gatherer.end()
    this.#isComplete = true
  }

  #putAside(type: number, bytes: Uint8Array): void {
    if (this.#state === undefined) return
    const writer = new ByteWriter()
    writeItem(writer, { type, bytes, start: 0, end: bytes.length })
    this.#state.chunk(writer.take())
  }

  #admit(envelopes: readonly Uint8Array[]): void {
    let verdict = this.#engine.admitAll(envelopes)
    // It is of this replica's own name, and of a life that this log does not know: by now the
    // replica has another one.
    if (verdict === 'clone') verdict = this.#engine.admitAll(envelopes)
    switch (verdict) {
      case 'applied':
        this.#appliedCount += envelopes.length
        return
      case 'duplicate':
        this.#duplicatesCount += envelopes.length
        return
      case 'clone':
        throw new WarpError('WARP_E_IDENTITY_CLONED', 'it is of the name that this replica writes under')
      case 'early':
        throw malformed('an operation that it depends on is neither here nor in a line before: lines are missing')
      case 'drift':
        throw new WarpError(
          'WARP_E_CLOCK_DRIFT',
          'it is stamped further ahead than the clock drift allowed; set the clock',
        )
      case 'resync':
        throw bothCompacted()
      case 'full':
        throw new WarpError('WARP_E_STORAGE_FULL', 'no space is left for it; make room and import again')
    }
  }
}

function withLine(error: unknown, line: number): unknown {
  if (!isWarpError(error) || line === 0 || error.details['line'] !== undefined) return error
  return new WarpError(error.code, `line ${line}: ${error.message}`, {
    details: { ...error.details, line },
    cause: error,
    outcome: error.outcome,
  })
}

function malformed(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', what)
}

function contradictory(what: string): WarpError {
  return malformed(`its ${what} and its bytes say different things; the bytes count, so remove or restore the line`)
}

function cutShort(): WarpError {
  return malformed(
    'the export ends without its last line: it was cut short; the operations before the cut have been imported, so import the whole export again: what is here stays',
  )
}

function endedOf(text: string, { table }: TransferStore): EndedIds {
  return EndedIds.read(new ByteReader(fromBase64(text)), table)
}

function bothCompacted(): WarpError {
  return new WarpError(
    'WARP_E_RESYNC_REQUIRED',
    'this log has compacted operations that the export does not know of; import into an empty folder, and let replication join the two',
  )
}
