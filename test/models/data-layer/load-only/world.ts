/**
 * Keyspaces with `load` alone: a database that Warp only reads, changed by the application, and replicas that hold copies
 * of it. A `set` brings a copy to every replica and is an invalidation of its key at the same time.
 *
 * A row of the database is a number that grows with each commit, so the oracle only has to compare numbers.
 */
import { type Counts } from '../explorer.ts'
import { KEYS, type Key, each } from '../keys.ts'
import { type Dot, type Vector, joinInto } from '../vectors.ts'

export interface Config {
  readonly replicas: number
  /** Loads ask the replica that owns the key. */
  readonly cluster: boolean
  /** The position is taken before the commit, and the set counts since then. Without, commit and set are one step: the contract of a plain set. */
  readonly since: boolean
  readonly volatile: boolean
  readonly salt: number
  readonly profile: number
}

export interface Operation extends Dot {
  readonly kind: 'set' | 'invalidate'
  readonly target: string
  /** The whole vector of the writer. Of another replica's operation it is known as far as `changes` have told it. */
  readonly context: Readonly<Vector>
  /** On the wire: the entries of the whole vector that have changed since the writer's previous operation. */
  readonly changes: Readonly<Vector>
  /** On the wire: the operations of the key that the writer had seen. */
  readonly ofKey: Readonly<Vector>
  readonly stamp: number
  /** Of a set: the row that it brings. */
  readonly row: number
  /** Ghost: the rows that the operation announces. A reader who knows the operation gets none that is older. */
  readonly announces: Readonly<Record<Key, number>>
}

export interface Copy {
  readonly row: number
  /** The position of this replica when the load began, or when the set entered. */
  readonly begin: number
  readonly isOfSet: boolean
  expired: boolean
}

export interface Entry {
  copy: Copy | null
  /** The sets of the key that entered here and that no later one had seen. Stays when a load replaces the copy. */
  sets: Vector
  lastSet: number
  lastStamp: number
}

export interface Waiter {
  /** How many operations the replica knew when the read began. */
  readonly known: number
  readonly position: number
}

export interface Flight {
  readonly id: number
  readonly kind: 'load' | 'ask'
  readonly begin: number
  /** What the load counts as having seen. */
  readonly vector: Readonly<Vector>
  /** The position of the first operation that voided it. */
  voidSince: number | undefined
  waiters: Waiter[]
  readonly askers: Ask[]
}

export interface Begun {
  readonly position: number
  row: number | undefined
}

export interface Replica {
  readonly slot: number
  readonly id: string
  up: boolean
  gone: boolean
  clock: number
  position: number
  applied: Vector
  /** The vector at this replica's previous operation; and what others are known to have seen when they wrote last. */
  written: Vector
  readonly vectors: Map<string, Vector>
  log: Operation[]
  entries: Map<Key, Entry>
  flights: Map<Key, Flight>
  remembered: { readonly operation: Operation; readonly position: number }[]
  forgottenInvalidations: Vector
  floorPosition: number
  /** The position of the last invalidation by tag that was forgotten. */
  tagFloor: number
  begun: Map<Key, Begun>
  /** Slots that this replica takes for dead. */
  view: Set<number>
  /** Ghost: every operation that was ever known here, in order. */
  known: Operation[]
}

export interface Ask {
  readonly type: 'ask'
  readonly to: string
  readonly from: string
  readonly key: Key
  readonly id: number
  readonly need: Readonly<Vector>
}

/** What a replica had applied when it said so. */
export interface Digest {
  readonly type: 'digest'
  readonly to: string
  readonly from: string
  readonly applied: Readonly<Vector>
}

export interface Fill {
  readonly type: 'fill'
  readonly to: string
  readonly key: Key
  readonly id: number
  /** Nothing when the owner cannot answer. */
  readonly row: number | undefined
  readonly begin: Readonly<Vector>
}

export type Message =
  { readonly type: 'operation'; readonly to: string; readonly operation: Operation } | Ask | Fill | Digest

export interface Request {
  readonly from: string
  readonly key: Key
  readonly id: number
}

export class World {
  now = 0
  unique = 0
  net: Message[] = []
  requests: Request[] = []
  replies: (Request & { readonly row: number })[] = []
  readonly database: Record<Key, number> = each(() => 0)
  /** The tag of each row: it comes with the row, and nobody knows it before. */
  readonly tags: Record<Key, string[]> = { a: ['tag1'], b: ['tag2'] }
  readonly operations: Operation[] = []
  /** Changes of the database that nobody has announced yet. */
  owed: { readonly key: Key; readonly tag: string }[] = []
  readonly lost = new Set<string>()
  readonly replicas: Replica[] = []
  readonly counts: Counts = { reads: 0, hits: 0, loads: 0, fills: 0, sets: 0, installed: 0, unfit: 0, withdrawn: 0 }

  readonly config: Config
  readonly mutant: string
  readonly trace: string[] | undefined

  constructor(config: Config, mutant: string, trace?: string[]) {
    this.config = config
    this.mutant = mutant
    this.trace = trace
    for (let slot = 0; slot < config.replicas; slot++) this.replicas.push(freshReplica(slot, 'ABCD'[slot]! + '0'))
  }

  /** The database has a new row, under the same tag or another. */
  commit(key: Key, moves = false): number {
    const tag = this.tags[key].at(-1)!
    this.tags[key].push(moves ? (tag === 'tag1' ? 'tag2' : 'tag1') : tag)
    return ++this.database[key]
  }

  tagOf(key: Key, row: number): string {
    return this.tags[key][row]!
  }

  is(mutant: string): boolean {
    return this.mutant === mutant
  }

  say(text: string): void {
    this.trace?.push(text)
  }

  count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }

  replica(id: string): Replica | undefined {
    return this.replicas.find((r) => r.id === id)
  }

  others(r: Replica): Replica[] {
    return this.replicas.filter((x) => x !== r)
  }

  /** The replica that the hash names, among those that `r` takes for alive. */
  owner(r: Replica, key: Key): Replica {
    const live = this.replicas.filter((x) => x.up && !r.view.has(x.slot))
    return live[(KEYS.indexOf(key) + this.config.salt) % Math.max(1, live.length)] ?? r
  }
}

export function freshReplica(slot: number, id: string): Replica {
  return {
    slot,
    id,
    up: true,
    gone: false,
    clock: 0,
    position: 0,
    applied: {},
    written: {},
    vectors: new Map(),
    log: [],
    entries: new Map(),
    flights: new Map(),
    remembered: [],
    forgottenInvalidations: {},
    floorPosition: 0,
    tagFloor: 0,
    begun: new Map(),
    view: new Set(),
    known: [],
  }
}

export function entryOf(r: Replica, key: Key): Entry {
  let entry = r.entries.get(key)
  if (entry === undefined) r.entries.set(key, (entry = { copy: null, sets: {}, lastSet: 0, lastStamp: 0 }))
  return entry
}

/** Whether an invalidation or a set means this row: by its key, a pattern, or the tag of the row. */
export const means = (target: string, key: Key, tag: string): boolean => isOfKey(target, key) || target === tag

export const isOfKey = (target: string, key: Key): boolean => target === key || target === 'a*'

/** The remembered invalidations of a row. */
export const rememberedOf = (r: Replica, key: Key, tag: string): Replica['remembered'] =>
  r.remembered.filter((i) => means(i.operation.target, key, tag))

/** Nothing of what was applied is remembered any more: after a start, and where a state was taken over. */
export function forgetAll(w: World, r: Replica): void {
  r.vectors.clear()
  r.entries.clear()
  r.flights.clear()
  r.begun.clear()
  r.remembered = []
  if (!w.is('starts-without-floor')) joinInto(r.forgottenInvalidations, r.applied)
  r.floorPosition = r.position
}
