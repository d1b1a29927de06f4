/**
 * Finds an operation by its dot: per replica the position of every 256th operation, from where a
 * scan of the log finds the rest. Costs 16 bytes for 256 operations. Positions of operations that
 * compaction has dropped stay good as places to scan from.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { REPLICA_ID_BYTES } from '../../crdt/time/replica-id.ts'
import type { ByteReader } from './byte-reader.ts'
import type { ReplicaTable } from './replica-table.ts'
import type { Position } from './position.ts'

const EVERY = 256

interface Marks {
  readonly sequences: number[]
  readonly positions: Position[]
}

export class DotIndex {
  readonly #marks = new Map<ReplicaId, Marks>()
  #lastReplica: ReplicaId | undefined
  #last: Marks = { sequences: [], positions: [] }

  /** Takes note of an operation; those of one replica come in ascending order. */
  note(replica: ReplicaId, sequence: number, position: Position): void {
    const marks = replica === this.#lastReplica ? this.#last : this.#marksOf(replica)
    if (marks.sequences.length > 0 && sequence < (marks.sequences.at(-1) as number) + EVERY) return
    marks.sequences.push(sequence)
    marks.positions.push(position)
  }

  /** A position at or before the first operation of `replica` beyond `sequence`. */
  before(replica: ReplicaId, sequence: number): Position {
    const marks = this.#marks.get(replica)
    if (marks === undefined) return 0
    let low = 0
    let high = marks.sequences.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((marks.sequences[middle] as number) <= sequence + 1) low = middle + 1
      else high = middle
    }
    return low === 0 ? 0 : (marks.positions[low - 1] as Position)
  }

  /** Nobody asks for their operations any more. */
  forget(replicas: Iterable<ReplicaId>): void {
    for (const replica of replicas) this.#marks.delete(replica)
    this.#lastReplica = undefined
  }

  write(writer: ByteWriter, table: ReplicaTable): void {
    writer.varint(this.#marks.size)
    for (const [replica, { sequences, positions }] of this.#marks) {
      writer.raw(table.bytes(replica))
      writer.varint(sequences.length)
      for (let i = 0; i < sequences.length; i++) {
        writer.varint(sequences[i] as number)
        writer.f64(positions[i] as Position)
      }
    }
  }

  read(reader: ByteReader, table: ReplicaTable): void {
    const replicas = reader.varint()
    for (let i = 0; i < replicas; i++) {
      const marks = this.#marksOf(table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES)))
      const count = reader.varint()
      for (let j = 0; j < count; j++) {
        marks.sequences.push(reader.varint())
        marks.positions.push(reader.f64())
      }
    }
  }

  #marksOf(replica: ReplicaId): Marks {
    let marks = this.#marks.get(replica)
    if (marks === undefined) {
      marks = { sequences: [], positions: [] }
      this.#marks.set(replica, marks)
    }
    this.#lastReplica = replica
    this.#last = marks
    return marks
  }
}
