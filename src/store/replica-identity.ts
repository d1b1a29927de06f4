/**
 * Who this replica is: under which ids it writes, which it has given up, and the meta record that
 * says so in the log. The parts that change the log are handed this noun and say what has happened.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { RECORD_KIND, type Log } from '../log/log.ts'
import type { HybridClock } from '../operation/clock.ts'
import type { Position } from '../operation/position.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { takeDeparture, type Departures, type DepartureNote } from '../operation/departures.ts'
import type { Reissued } from '../operation/names/reissued.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import { RetiredIds } from '../operation/retired-ids.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import type { Env } from '../ports/env.ts'
import { DomainWriters, newReplicaId, type DomainWriter, type WriterStarts } from '../keys/domain-writer.ts'
import type { EngineEvent } from './event.ts'
import { writeEnded, writeMeta, type Meta } from './meta-record.ts'
import type { Recovered } from './recovered.ts'

export interface ReplicaIdentityOptions {
  readonly log: Log
  readonly env: Env
  readonly table: ReplicaTable
  readonly clock: HybridClock
  /** Where the log lives (see `LogFiles.home`); empty if that is not known. */
  readonly home: string
  /** What people call this replica; `undefined`: as before. */
  readonly name?: string | undefined
  readonly observe: (event: EngineEvent) => void
  /** What the log says. Its `applied` and `floor` are live from here on. */
  readonly recovered: Recovered
}

/** Who a replica is once it has taken over a state. */
export interface NextIdentity {
  /** Under whose id it writes from then on; `undefined`: its present one. */
  readonly writer: DomainWriter | undefined
  readonly applied: VersionVector
  readonly floor: VersionVector
  readonly formers: VersionVector
  readonly retired: RetiredIds
  readonly reissued: Reissued
  readonly departures: Departures
}

export class ReplicaIdentity {
  /** Under which ids this replica writes, by domain. */
  readonly writers: DomainWriters
  /** Ids that have come to an end. */
  readonly retired: RetiredIds
  /** Who takes part no more, and who is away. */
  readonly departures: Departures
  /** Ids that this log has given up, and how far it has written under them. */
  readonly formers: VersionVector
  /** Operations beyond `applied` and up to here are being issued again. */
  readonly reissuing: VersionVector
  /** First names of operations that are part of the state as somebody has issued them again. */
  readonly reissued: Reissued
  /** What people call this replica; empty if it has no name. */
  readonly name: string
  /** The state is a mixture of two until a snapshot has been installed as a whole. */
  isResyncing: boolean
  #hasMetOthers: boolean
  #metaPosition: Position
  readonly #options: ReplicaIdentityOptions
  readonly #meta: Meta | undefined

  constructor(options: ReplicaIdentityOptions) {
    const { env, table, recovered } = options
    const { meta } = recovered
    this.#options = options
    this.#meta = meta
    this.#metaPosition = recovered.metaPosition
    this.#hasMetOthers = meta?.hasMetOthers === true
    this.isResyncing = meta?.isResyncing === true
    this.name = options.name ?? meta?.name ?? ''
    this.retired = meta?.retired ?? new RetiredIds()
    this.departures = recovered.departures
    this.#settleEnded()
    this.formers = meta?.formers.copy() ?? new VersionVector()
    this.reissuing = meta?.reissuing.copy() ?? new VersionVector()
    this.reissued = recovered.reissued
    this.writers = new DomainWriters(startsOf(recovered, env), table)
  }

  /** The records that say so come behind the operations that ended ids, and may not have arrived. */
  #settleEnded(): void {
    const { table, recovered } = this.#options
    table.ended.keepSaid(recovered.applied)
    this.retired.forget(table.ended.pruned())
    for (const [replica, end] of this.#unretired(table.ended.open())) this.retired.retire(replica, end)
  }

  /** As whom this replica writes what others get. */
  get replica(): ReplicaId {
    return this.writers.shared.replica
  }

  /** Where the newest meta record lies; older ones are garbage. */
  get metaPosition(): Position {
    return this.#metaPosition
  }

  /** Whether another replica has ever been heard, in this life of the process or an earlier one. */
  get hasMetOthers(): boolean {
    return this.#hasMetOthers
  }

  /**
   * Once at opening. A new log gets its first meta record. An old one keeps its identity unless
   * dots might be used twice: the folder is a copy or a restored backup, or the machine went down
   * before everything had been flushed.
   */
  settle(): void {
    const { log, recovered, home } = this.#options
    const meta = this.#meta
    if (meta === undefined) this.writeMeta()
    else {
      // Whatever was applied before this start is known to the next operation, unless its own
      // predecessor said so already.
      for (const [replica] of recovered.applied.entries()) {
        if (replica !== this.replica) this.writers.shared.noteApplied(replica)
      }
      const isMoved = meta.home !== '' && meta.home !== home
      if (isMoved) {
        // A copy leaves the old names to the original.
        this.formers.assign(new VersionVector())
        this.takeNew()
      } else if (log.recovery.isEndUncertain || this.#isOver) this.giveUp()
      else if (meta.name !== this.name) this.writeMeta()
    }
    log.acceptEnd()
  }

  /** It has left, or was given up, or the others know that it has left. */
  get #isOver(): boolean {
    return this.departures.of(this.replica) !== undefined || this.#options.table.ended.isPruned(this.replica)
  }

  /** Writes under a new replica id from now on; the old one stays for ever what it was. */
  takeNew(): void {
    const { env, observe, recovered } = this.#options
    const from = this.replica
    this.writers.shared.rename(newReplicaId(env), recovered.applied)
    this.writeMeta()
    observe({ kind: 'identity:changed', from, to: this.replica })
  }

  /** As `takeNew`; what was written under the old id is still this replica's own. */
  giveUp(): void {
    this.formers.raise(this.replica, this.#options.recovered.applied.get(this.replica))
    this.takeNew()
  }

  /** Ids have come to an end: operations of theirs beyond it are void. */
  retire(ends: VectorEntries): void {
    const { ended } = this.#options.table
    const changed = ends.filter(([replica, end]) => !ended.isPruned(replica) && this.retired.retire(replica, end))
    if (changed.some(([replica]) => replica === this.replica)) this.giveUp()
    else if (changed.length > 0) this.writeMeta()
  }

  /**
   * Ids are pruned: from now on nothing here names them. A record says so, of these and of all that
   * are `told`, that a later opening reads behind those that did. Throws, and then nothing has been
   * forgotten, `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE_POISONED`.
   */
  forgetPruned(pruned: readonly ReplicaId[], told: Iterable<ReplicaId> = pruned): void {
    this.writeEnded(this.#options.table.ended, told)
    this.dropPruned(pruned)
  }

  /** Writes a record that says of these that they have ended. */
  writeEnded(ended: EndedIds, told: Iterable<ReplicaId>): void {
    const { log, table } = this.#options
    writeEnded(log.begin(), { ended, told }, table)
    log.commit(RECORD_KIND.meta, 0)
  }

  /** Ids are pruned, and a record says so. */
  dropPruned(pruned: readonly ReplicaId[]): void {
    const { recovered, table } = this.#options
    const { ended } = table
    for (const vector of [recovered.applied, recovered.floor, this.formers]) vector.assign(ended.stripped(vector))
    this.retired.forget(pruned)
    this.departures.forget(pruned)
    this.writers.shared.forget(pruned)
    recovered.dots.forget(pruned)
  }

  /**
   * Somebody has said who takes part no more, or is away; `by` is who. Who is evicted and is there
   * all the same goes on under another id.
   */
  noteDeparture(note: DepartureNote, by: Dot): void {
    takeDeparture(note, by, { departures: this.departures, ended: this.#options.table.ended })
    if (note.kind === 'evicted') {
      const { replicas } = note
      this.#options.observe({ kind: 'members:evicted', replicas, by: by.replica })
    }
    if (note.kind === 'ended') this.retire(this.#unretired(note.ends))
    const isMeant = note.kind === 'evicted' && by.replica !== this.replica && note.replicas.includes(this.replica)
    if (isMeant && this.departures.of(this.replica) === 'evicted') this.giveUp()
  }

  /** Those whose owners have not left: somebody may hold more of them than counts. */
  #unretired(ends: Iterable<readonly [ReplicaId, number]>): VectorEntries {
    return [...ends].filter(([replica]) => this.departures.of(replica) !== 'left')
  }

  /** Another replica has been heard. */
  metOthers(): void {
    this.#hasMetOthers = true
    this.writeMeta()
  }

  /** Appends a meta record; the one before is garbage then. */
  writeMeta(): void {
    const { log, table } = this.#options
    const former = this.#metaPosition
    writeMeta(log.begin(), this.meta(), table)
    this.#metaPosition = log.commit(RECORD_KIND.meta, 0)
    if (former > 0) log.discard(former)
  }

  /** Writes the meta record of a state that is taken over. It counts when `become` is called. */
  writeNext({ writer, applied, floor, formers, retired, reissued, departures }: NextIdentity): Position {
    const { log, table } = this.#options
    const shared = writer?.replica ?? this.replica
    const state = { shared, applied, floor, formers, retired, reissued, departures, isResyncing: false }
    writeMeta(log.begin(), { ...this.meta(), ...state }, table)
    return log.commit(RECORD_KIND.meta, 0)
  }

  /** The state has been taken over. */
  become({ writer, applied, formers, retired, reissued, departures }: NextIdentity, metaPosition: Position): void {
    const { log, observe } = this.#options
    const { shared } = this.writers
    const from = this.replica
    if (this.#metaPosition > 0) log.discard(this.#metaPosition)
    this.#metaPosition = metaPosition
    this.isResyncing = false
    this.formers.assign(formers)
    this.retired.assign(retired)
    this.reissued.assign(reissued)
    this.departures.join(departures)
    if (writer === undefined) {
      for (const [replica] of applied.entries()) if (replica !== from) shared.noteApplied(replica)
      return
    }
    shared.become(writer)
    observe({ kind: 'identity:changed', from, to: this.replica })
  }

  /** What a meta record says now. */
  meta(): Meta {
    const { clock, home, recovered } = this.#options
    const { shared, local } = this.writers
    return {
      shared: shared.replica,
      local: local.replica,
      localSequence: local.sequence,
      home,
      name: this.name,
      hlc: clock.last,
      floor: recovered.floor,
      applied: recovered.applied,
      isResyncing: this.isResyncing,
      hasMetOthers: this.#hasMetOthers,
      formers: this.formers,
      reissuing: this.reissuing,
      reissued: this.reissued,
      retired: this.retired,
      departures: this.departures,
    }
  }
}

/** The ids that the log names, or new ones, and how far they have written. */
function startsOf({ meta, applied, localSequence }: Recovered, env: Env): WriterStarts {
  const shared = meta?.shared ?? newReplicaId(env)
  return {
    shared: { replica: shared, sequence: applied.get(shared) },
    local: { replica: meta?.local ?? newReplicaId(env), sequence: localSequence },
  }
}
