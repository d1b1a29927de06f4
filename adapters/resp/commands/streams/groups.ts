/**
 * Groups of consumers, which are of one replica: what is known of a group is kept in notes of its stream that
 * bear the replica's id, so it lasts as long as the stream's log, goes with the stream, and no other replica
 * shows it. How far a group is, is a place in the entries of each replica, in the order in which that one
 * wrote them. So what arrives late, with an id below others, is delivered as well.
 *
 * Names of notes: the replica's id; `g` and the group, `c` and the group and the consumer, or `p` and the
 * group and the id of an entry that is pending.
 */
import { parseId, shownId, LEAST_ID, type StreamId, ID_CHARS } from '../../../../crdt/redis/streams/stream-id.ts'
import type { Stream, StreamEntry } from '../../../../crdt/redis/streams/stream.ts'
import { textOf } from '../../../../crdt/redis/cell.ts'
import type { Call } from '../../call/command.ts'
import { write } from '../../call/key-facts.ts'
import { entriesOf } from './entries.ts'

/** Of each replica the last entry that has been delivered: its sequence, and its place in that. */
type Places = Readonly<Record<string, readonly [sequence: number, index: number]>>

interface Position {
  /** The greatest id that has been delivered. */
  readonly last: StreamId
  readonly places: Places
}

export interface Pending {
  readonly id: StreamId
  readonly consumer: string
  readonly deliveredMs: number
  readonly deliveries: number
}

export interface Consumer {
  readonly name: string
  readonly seenMs: number
}

/** What is written to notes: a value, or nothing for what goes. */
export type Notes = Map<string, string | undefined>

const LENGTH_CHARS = 8

export class Group {
  readonly name: string
  readonly stream: Stream
  readonly #replica: string
  readonly #position: Position

  private constructor(stream: Stream, replica: string, name: string, position: Position) {
    this.stream = stream
    this.name = name
    this.#replica = replica
    this.#position = position
  }

  /** `undefined` if there is none. */
  static find(call: Call, stream: Stream | undefined, name: string): Group | undefined {
    const { replica } = call.keys.direct
    const text = stream === undefined ? undefined : noteIn(stream, `${replica}g${name}`)
    return text === undefined ? undefined : new Group(stream as Stream, replica, name, positionOf(text))
  }

  /** Those of this replica, by name. */
  static all(call: Call, stream: Stream): Group[] {
    const { replica } = call.keys.direct
    const prefix = `${replica}g`
    return Array.from(
      stream.notesOf(prefix),
      ({ name, cell }) => new Group(stream, replica, name.slice(prefix.length), positionOf(textOf(cell) ?? '{}')),
    )
  }

  get lastId(): StreamId {
    return this.#position.last
  }

  /** How many entries it has not delivered. */
  get lag(): number {
    let lag = 0
    for (const replica of this.stream.replicas) {
      const entries = this.stream.ofReplica(replica)
      if (entries !== undefined) lag += entries.size - entries.rankOf(isDelivered(this.#position, replica))
    }
    return lag
  }

  consumer(name: string): Consumer | undefined {
    const text = noteIn(this.stream, this.#consumerNote(name))
    return text === undefined ? undefined : { name, seenMs: Number(text) }
  }

  get consumers(): Consumer[] {
    const prefix = this.#consumerNote('')
    return Array.from(this.stream.notesOf(prefix), ({ name, cell }) => ({
      name: name.slice(prefix.length),
      seenMs: Number(textOf(cell)),
    }))
  }

  /** From an id on. Not to be changed meanwhile. */
  *pending(from: StreamId = LEAST_ID): Generator<Pending, void> {
    const prefix = this.#pendingNote('')
    for (const { name, cell } of this.stream.notesOf(prefix, prefix + from))
      yield pendingOf(name.slice(-ID_CHARS) as StreamId, textOf(cell) ?? '[]')
  }

  pendingAt(id: StreamId): Pending | undefined {
    const text = noteIn(this.stream, this.#pendingNote(id))
    return text === undefined ? undefined : pendingOf(id, text)
  }

  /** The next entries that it has not delivered, and notes of where it is then. */
  next(count: number): { readonly entries: readonly StreamEntry[]; readonly notes: Notes } {
    const position = { last: this.#position.last, places: { ...this.#position.places } }
    const sources = Array.from(this.stream.replicas, (replica) => {
      const own = this.stream.ofReplica(replica)
      return own?.from(own.rankOf(isDelivered(position, replica)))
    }).flatMap((source) => source ?? [])
    const heads = sources.map((source) => ({ source, entry: source.next().value as StreamEntry | undefined }))
    const entries: StreamEntry[] = []
    while (entries.length < count) {
      const least = heads
        .filter(({ entry }) => entry !== undefined)
        .reduce<(typeof heads)[number] | undefined>(
          (one, other) => (one === undefined || other.entry!.id < one.entry!.id ? other : one),
          undefined,
        )
      if (least?.entry === undefined) break
      const { id, stamp, index } = least.entry
      entries.push(least.entry)
      position.places[stamp.replica] = [stamp.sequence, index]
      if (id > position.last) position.last = id
      least.entry = least.source.next().value as StreamEntry | undefined
    }
    return { entries, notes: new Map([[this.#groupNote, positionText(position)]]) }
  }

  /** Sets what is pending, and of whom. */
  pend(notes: Notes, { id, consumer, deliveredMs, deliveries }: Pending): void {
    notes.set(this.#pendingNote(id), JSON.stringify([consumer, deliveredMs, deliveries]))
  }

  settle(notes: Notes, id: StreamId): void {
    notes.set(this.#pendingNote(id), undefined)
  }

  /** A consumer is there, and was seen. */
  see(notes: Notes, consumer: string, nowMs: number): void {
    notes.set(this.#consumerNote(consumer), String(nowMs))
  }

  forget(notes: Notes, consumer: string): void {
    notes.set(this.#consumerNote(consumer), undefined)
  }

  /** What is known of it but its place in the entries, which are written anew where they are copied to. */
  notesElsewhere(): { readonly name: string; readonly last: StreamId; readonly notes: Notes } {
    const notes: Notes = new Map()
    for (const prefix of [this.#pendingNote(''), this.#consumerNote('')])
      for (const { name, cell } of this.stream.notesOf(prefix)) notes.set(name, textOf(cell))
    return { name: this.name, last: this.lastId, notes }
  }

  /** All that is known of it goes. */
  destroy(): Notes {
    const notes: Notes = new Map([[this.#groupNote, undefined]])
    for (const prefix of [this.#pendingNote(''), this.#consumerNote('')])
      for (const { name } of this.stream.notesOf(prefix)) notes.set(name, undefined)
    return notes
  }

  get #groupNote(): string {
    return `${this.#replica}g${this.name}`
  }

  #consumerNote(consumer: string): string {
    return `${this.#replica}c${measured(this.name)}${consumer}`
  }

  #pendingNote(id: string): string {
    return `${this.#replica}p${measured(this.name)}${id}`
  }
}

/** A note of a group that has delivered all entries up to an id; `undefined`: all that are there. */
export function groupNote(call: Call, stream: Stream | undefined, name: string, id: StreamId | undefined): Notes {
  const places: Record<string, readonly [number, number]> = {}
  for (const replica of stream?.replicas ?? []) {
    const own = stream?.ofReplica(replica)
    const entry = own?.at((id === undefined ? own.size : own.rankOf((one) => one.id <= id)) - 1)
    if (entry !== undefined) places[replica] = [entry.stamp.sequence, entry.index]
  }
  const last = id ?? stream?.lastId ?? LEAST_ID
  return new Map([[`${call.keys.direct.replica}g${name}`, positionText({ last, places })]])
}

export function writeNotes(call: Call, key: string, notes: Notes): void {
  if (notes.size > 0) write(call, key, 'note', [...notes])
}

/** Whether an entry that is pending is still in the stream. */
export function isLeft(stream: Stream, id: StreamId): boolean {
  return entriesOf(stream, id).length > 0
}

function isDelivered({ places }: Position, replica: string): (entry: StreamEntry) => boolean {
  const [sequence, index] = places[replica] ?? [0, 0]
  return ({ stamp, index: own }) => stamp.sequence < sequence || (stamp.sequence === sequence && own <= index)
}

function noteIn(stream: Stream, name: string): string | undefined {
  const note = stream.note(name)
  return note === undefined ? undefined : textOf(note.cell)
}

/** So that no group's name is the beginning of another one's. */
function measured(name: string): string {
  return name.length.toString(16).padStart(LENGTH_CHARS, '0') + name
}

function positionText({ last, places }: Position): string {
  return JSON.stringify([shownId(last), places])
}

function positionOf(text: string): Position {
  const [last, places] = JSON.parse(text) as [string, Places]
  return { last: parseId(last, 0n) ?? LEAST_ID, places }
}

function pendingOf(id: StreamId, text: string): Pending {
  const [consumer, deliveredMs, deliveries] = JSON.parse(text) as [string, number, number]
  return { id, consumer, deliveredMs, deliveries }
}
