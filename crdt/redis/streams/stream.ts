/**
 * A stream: entries in the order of their ids, those of one id in the order of their dots; marks, which say
 * what is to be known of entries that have gone; and notes, named values beside the entries, in which a
 * replica keeps how far its groups of consumers are.
 *
 * Entries of one replica come in the order in which it wrote them. So how far somebody has read is a place
 * in each replica's entries (`ofReplica`), and an entry that comes late, with an id below others, is met.
 */
import type { ReplicaId } from '../../time/replica-id.ts'
import { compareStamps, type Stamp } from '../../time/hlc.ts'
import { eraseCell, isEmptyCell, stampsIn, type Cell } from '../cell.ts'
import { Ordered } from '../ordered.ts'
import { isPast, type Seen } from '../seen.ts'
import { LEAST_ID, type StreamId } from './stream-id.ts'

export interface StreamEntry {
  readonly id: StreamId
  /** Names and values, one after the other. */
  readonly fields: readonly string[]
  readonly stamp: Stamp
  /** Among those that were added at once. */
  readonly index: number
}

/** What is to be known of entries that are not there. */
export interface MarkContent {
  /** No id that is written later may be less. */
  readonly last: StreamId
  /** The greatest that was deleted by its id. */
  readonly deleted: StreamId
  /** How many have gone. */
  readonly gone: number
}

export interface Mark extends MarkContent {
  readonly stamp: Stamp
}

export interface Note {
  readonly name: string
  readonly cell: Cell<string>
}

const NO_MARKS: readonly Mark[] = Object.freeze([])

export class Stream {
  readonly entries: Ordered<StreamEntry> = new Ordered<StreamEntry>(compareEntries)
  readonly notes: Ordered<Pick<Note, 'name'>> = new Ordered<Pick<Note, 'name'>>(compareNames)
  marks: readonly Mark[] = NO_MARKS
  readonly #byReplica = new Map<ReplicaId, Ordered<StreamEntry>>()

  /** Whether it is to be seen: notes alone are leftovers. */
  get isThere(): boolean {
    return this.entries.size > 0 || this.marks.length > 0
  }

  get isEmpty(): boolean {
    return !this.isThere && this.notes.size === 0
  }

  /** What marks say together. */
  get mark(): MarkContent {
    let [last, deleted, gone] = [LEAST_ID, LEAST_ID, 0]
    for (const mark of this.marks) {
      if (mark.last > last) last = mark.last
      if (mark.deleted > deleted) deleted = mark.deleted
      gone = Math.max(gone, mark.gone)
    }
    return { last, deleted, gone }
  }

  /** The greatest id that was written. */
  get lastId(): StreamId {
    const { last } = this.mark
    const id = this.entries.at(this.entries.size - 1)?.id ?? LEAST_ID
    return id > last ? id : last
  }

  /** How many entries have a lesser id. */
  rankOf(id: StreamId): number {
    return this.entries.rankOf((entry) => entry.id < id)
  }

  get replicas(): Iterable<ReplicaId> {
    return this.#byReplica.keys()
  }

  /** The entries of a replica in the order in which it wrote them. */
  ofReplica(replica: ReplicaId): Ordered<StreamEntry> | undefined {
    return this.#byReplica.get(replica)
  }

  add(entry: StreamEntry): void {
    this.entries.add(entry)
    const { replica } = entry.stamp
    const own = this.#byReplica.get(replica) ?? new Ordered<StreamEntry>(compareDots)
    own.add(entry)
    this.#byReplica.set(replica, own)
  }

  remove(entry: StreamEntry): void {
    this.entries.remove(entry)
    const own = this.#byReplica.get(entry.stamp.replica)
    own?.remove(entry)
    if (own?.size === 0) this.#byReplica.delete(entry.stamp.replica)
  }

  /** Takes away the entries of an id that the writer had seen. */
  removeId(id: StreamId, seen: Seen): void {
    for (const entry of this.#upTo(this.rankOf(id), id)) if (isPast(seen, entry.stamp)) this.remove(entry)
  }

  /** Takes away the entries up to an id that the writer had seen. */
  trim(floor: StreamId, seen: Seen): void {
    for (const entry of this.#upTo(0, floor)) if (isPast(seen, entry.stamp)) this.remove(entry)
  }

  setMark(content: MarkContent, seen: Seen): void {
    this.marks = [...this.marks.filter(({ stamp }) => !isPast(seen, stamp)), { ...content, stamp: seen.stamp }]
  }

  note(name: string): Note | undefined {
    return this.notes.find({ name }) as Note | undefined
  }

  /** Notes whose names begin with that. Not to be changed meanwhile. */
  *notesOf(prefix: string, from: string = prefix): Generator<Note, void> {
    for (const note of this.notes.from(this.notes.rankOf(({ name }) => name < from))) {
      if (!note.name.startsWith(prefix)) return
      yield note as Note
    }
  }

  erase(seen: Seen): void {
    for (const entry of [...this.entries.from(0)]) if (isPast(seen, entry.stamp)) this.remove(entry)
    this.marks = this.marks.filter(({ stamp }) => !isPast(seen, stamp))
    for (const note of [...this.notes.from(0)] as Note[]) {
      eraseCell(note.cell, seen)
      if (isEmptyCell(note.cell)) this.notes.remove(note)
    }
  }

  *stamps(): Generator<Stamp> {
    for (const { stamp } of this.entries.from(0)) yield stamp
    for (const { stamp } of this.marks) yield stamp
    for (const note of this.notes.from(0)) yield* stampsIn((note as Note).cell)
  }

  #upTo(rank: number, id: StreamId): StreamEntry[] {
    const found: StreamEntry[] = []
    for (const entry of this.entries.from(rank)) {
      if (entry.id > id) break
      found.push(entry)
    }
    return found
  }
}

function compareEntries(a: StreamEntry, b: StreamEntry): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1
  return compareStamps(a.stamp, b.stamp) || a.index - b.index
}

function compareDots(a: StreamEntry, b: StreamEntry): number {
  return a.stamp.sequence - b.stamp.sequence || a.index - b.index
}

function compareNames(a: Pick<Note, 'name'>, b: Pick<Note, 'name'>): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
