/**
 * What the operations of leases amount to: which leases there are, who owns them, what is attached,
 * and which have ended. An end is final. How long a lease has left is not in here, for no operation
 * says it.
 *
 * A lease leaves in two steps. When everybody has its end, it is *over*: nothing of it is told to who
 * joins, and its records are garbage, but for its end. That stays until its grant is not in the log any
 * more, or an opening without a checkpoint would find a lease that never ended.
 */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { isSameDot, type Dot } from '../../../crdt/time/dot.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import type { EnteredLeaseNote, LeaseEndReason, LeaseId, LeaseTarget } from '../../operation/leases/lease-note.ts'
import type { Position } from '../../operation/position.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'

/** An operation, and where it lies in the log; 0 if that is not known. */
export interface Placed {
  readonly dot: Dot
  readonly position: Position
}

export type Attachment = LeaseTarget & Placed

export interface BookedLease {
  readonly id: LeaseId
  /** Who granted it, last: a replica that had to take another id grants its leases again. */
  owner: ReplicaId
  ttlMs: number
  grant: Placed
  /** The newest grant or renewal. */
  renewal: Dot
  end: (Placed & { readonly reason: LeaseEndReason }) | undefined
  /** Everybody has the end. */
  isOver: boolean
  readonly attachments: Map<string, Attachment>
}

/** One that has entered, with its place. */
export type PlacedLeaseNote = EnteredLeaseNote & Pick<Placed, 'position'>

const FLAG = { revoked: 1, expired: 2, over: 4 } as const

export class LeaseBook {
  #leases = new Map<LeaseId, BookedLease>()
  /** Leases that have ended, for as long as anything is known of them. */
  #ended = new Set<BookedLease>()
  /** What was here before a state was taken over, until somebody asks. */
  #former: Map<LeaseId, BookedLease> | undefined

  /** One that has not ended, or of which not everybody is known to have the end. */
  get(lease: LeaseId): BookedLease | undefined {
    const known = this.#leases.get(lease)
    return known?.isOver === true ? undefined : known
  }

  *all(): IterableIterator<BookedLease> {
    for (const lease of this.#leases.values()) if (!lease.isOver) yield lease
  }

  /** Takes in what an operation says. Returns whether that changes anything. */
  take(note: PlacedLeaseNote): boolean {
    const { dot, position } = note
    const known = this.#leases.get(note.lease)
    if (note.kind === 'grant') return this.#grant(note, known)
    if (known === undefined || known.isOver) return false
    switch (note.kind) {
      case 'attach': {
        const { of, target } = note
        const name = `${of} ${target}`
        const isNew = !known.attachments.has(name)
        known.attachments.set(name, { of, target, dot, position })
        // What is attached to a lease that has ended falls once more.
        return isNew || known.end !== undefined
      }
      case 'renew':
        if (dot.replica !== known.owner || known.end !== undefined) return false
        known.renewal = dot
        return true
      case 'end':
        if (known.end !== undefined) return false
        known.end = { dot, position, reason: note.reason }
        this.#ended.add(known)
        return true
    }
  }

  #grant(
    { lease: id, dot, position, ttlMs }: PlacedLeaseNote & { kind: 'grant' },
    known: BookedLease | undefined,
  ): boolean {
    const grant = { dot, position }
    if (known === undefined) {
      const attachments = new Map<string, Attachment>()
      this.#leases.set(id, {
        ...{ id, ttlMs, grant, attachments, owner: dot.replica, renewal: dot, end: undefined, isOver: false },
      })
      return true
    }
    if (known.isOver) return false
    Object.assign(known, { owner: dot.replica, ttlMs, grant, renewal: dot })
    return true
  }

  /** Whether the log needs a record that says this, which may be gone by all that others can ask for. */
  isNeeded({ kind, lease: id, dot, ...rest }: EnteredLeaseNote): boolean {
    const lease = this.#leases.get(id)
    if (lease === undefined) return false
    if (kind === 'end') return lease.end !== undefined && isSameDot(lease.end.dot, dot)
    if (lease.isOver || kind === 'renew') return false
    if (kind === 'grant') return isSameDot(lease.grant.dot, dot)
    const { of, target } = rest as LeaseTarget
    const attachment = lease.attachments.get(`${of} ${target}`)
    return attachment !== undefined && isSameDot(attachment.dot, dot)
  }

  /**
   * Lets go of what is over. `hasEverybody`: nobody can ask for that operation any more. `isRewritten`:
   * whether what had been written through the second position is gone, or was written again, since the first.
   */
  letGo(hasEverybody: (dot: Dot) => boolean, isRewritten: (since: Position, through: Position) => boolean): void {
    for (const lease of this.#ended) {
      const { end, grant } = lease
      if (end === undefined) continue
      if (!lease.isOver) {
        if (!hasEverybody(end.dot)) continue
        lease.isOver = true
        lease.attachments.clear()
      }
      if (!isRewritten(end.position, grant.position)) continue
      this.#leases.delete(lease.id)
      this.#ended.delete(lease)
    }
  }

  /** A log has been read: what it holds and was not applied, or counts no more, is not in here. */
  settle(isApplied: (dot: Dot) => boolean): void {
    for (const lease of [...this.#leases.values()]) {
      for (const [name, { dot }] of lease.attachments) if (!isApplied(dot)) lease.attachments.delete(name)
      if (lease.end !== undefined && !isApplied(lease.end.dot)) {
        lease.end = undefined
        lease.isOver = false
        this.#ended.delete(lease)
      }
      if (isApplied(lease.grant.dot)) continue
      this.#leases.delete(lease.id)
      this.#ended.delete(lease)
    }
  }

  /**
   * A state has been taken over: this is what its operations say, in their order. A position of 0 means
   * that the record has been here before.
   */
  replace(notes: Iterable<PlacedLeaseNote>): void {
    const former = this.#leases
    this.#former ??= new Map(former)
    this.#leases = new Map()
    this.#ended = new Set()
    for (const note of notes) {
      const position = note.position === 0 ? placeIn(former.get(note.lease), note.dot) : note.position
      this.take({ ...note, position })
    }
  }

  /** What was here before a state was taken over: once. */
  takeFormer(): ReadonlyMap<LeaseId, BookedLease> {
    const former = this.#former ?? new Map<LeaseId, BookedLease>()
    this.#former = undefined
    return former
  }

  /**
   * `count:varint (id:text owner:8 ttlMs:varint grant renewal:dot flags:u8 [ end ] count:varint (of:u8 target:text
   * attached)*)*`, where `grant`, `end` and `attached` are `dot position:f64`, and `dot` is `replica:8 sequence:varint`.
   */
  write(writer: ByteWriter, table: ReplicaTable): void {
    writer.varint(this.#leases.size)
    for (const { id, owner, ttlMs, grant, renewal, end, isOver, attachments } of this.#leases.values()) {
      writer.text(id)
      writer.raw(table.bytes(owner))
      writer.varint(ttlMs)
      writePlaced(writer, grant, table)
      writeDot(writer, renewal, table)
      writer.u8((end === undefined ? 0 : FLAG[end.reason]) | (isOver ? FLAG.over : 0))
      if (end !== undefined) writePlaced(writer, end, table)
      writer.varint(attachments.size)
      for (const attachment of attachments.values()) {
        writer.u8(attachment.of === 'key' ? 0 : 1)
        writer.text(attachment.target)
        writePlaced(writer, attachment, table)
      }
    }
  }

  /** Reads one lease more with each step. */
  *read(reader: ByteReader, table: ReplicaTable): Generator<BookedLease, void> {
    for (let left = reader.varint(); left > 0; left--) {
      const id = reader.text()
      const owner = table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES))
      const ttlMs = reader.varint()
      const grant = readPlaced(reader, table)
      const renewal = readDot(reader, table)
      const flags = reader.u8()
      const reason = (flags & FLAG.revoked) !== 0 ? 'revoked' : (flags & FLAG.expired) !== 0 ? 'expired' : undefined
      const end: BookedLease['end'] = reason === undefined ? undefined : { ...readPlaced(reader, table), reason }
      const attachments = new Map<string, Attachment>()
      for (let attached = reader.varint(); attached > 0; attached--) {
        const of = reader.u8() === 0 ? 'key' : 'pattern'
        const target = reader.text()
        attachments.set(`${of} ${target}`, { of, target, ...readPlaced(reader, table) })
      }
      const isOver = (flags & FLAG.over) !== 0
      const lease: BookedLease = { id, owner, ttlMs, grant, renewal, end, isOver, attachments }
      this.#leases.set(id, lease)
      if (end !== undefined) this.#ended.add(lease)
      yield lease
    }
  }
}

function placeIn(lease: BookedLease | undefined, dot: Dot): Position {
  if (lease === undefined) return 0
  const placed = [lease.grant, ...(lease.end === undefined ? [] : [lease.end]), ...lease.attachments.values()]
  return placed.find((one) => isSameDot(one.dot, dot))?.position ?? 0
}

function writeDot(writer: ByteWriter, { replica, sequence }: Dot, table: ReplicaTable): void {
  writer.raw(table.bytes(replica))
  writer.varint(sequence)
}

function readDot(reader: ByteReader, table: ReplicaTable): Dot {
  return { replica: table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES)), sequence: reader.varint() }
}

function writePlaced(writer: ByteWriter, { dot, position }: Placed, table: ReplicaTable): void {
  writeDot(writer, dot, table)
  writer.f64(position)
}

function readPlaced(reader: ByteReader, table: ReplicaTable): Placed {
  return { dot: readDot(reader, table), position: reader.f64() }
}
