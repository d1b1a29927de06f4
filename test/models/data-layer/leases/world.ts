/**
 * Leases: groups of keys that fall together. Granting, attaching, renewing, revoking and expiring are operations; how long
 * a lease has left is each replica's own reckoning on a clock that only goes forward, and no wall clock is ever asked.
 */
import { type Counts } from '../explorer.ts'
import { KEYS, type Key, matches } from '../keys.ts'
import { type Dot, type Vector } from '../vectors.ts'

export const TTL = 100
/** No process starts faster than this. */
export const RESTART = 30

export interface Config {
  readonly replicas: number
  readonly volatile: boolean
  readonly profile: number
}

export type Kind = 'grant' | 'attach' | 'renew' | 'revoke' | 'expire' | 'put'

export interface Operation extends Dot {
  readonly kind: Kind
  readonly lease: string
  /** Of an attachment: the key or pattern. Of a put: the key. */
  readonly target: string
  readonly context: Readonly<Vector>
  /** Ghost: when it was written. */
  readonly at: number
}

export interface Lease {
  readonly id: string
  readonly owner: string
  /** The last grant or renewal that is known here. */
  renewal: Dot
  /** When it lapses by this replica's clock. Nothing: not known, and hidden. */
  deadline: number | undefined
  /** Whether that is of the renewal. If not, it is of one before it, if there is one. */
  isKnown: boolean
  /** Since when the renewal is known. */
  unknownSince: number
  end: Operation | undefined
  attachments: Operation[]
}

export interface Copy {
  readonly begin: number
  /** Ghost: how many operations were known when its load began. */
  readonly known: number
}

/** How much is left of a lease since that renewal, as its sender reckons. */
export interface Left {
  readonly lease: string
  readonly renewal: Dot
  readonly left: number | undefined
}

export interface Replica {
  readonly slot: number
  readonly id: string
  up: boolean
  gone: boolean
  downSince: number
  /** No message passes. */
  isolated: boolean
  position: number
  applied: Vector
  acks: Map<string, Vector>
  log: Operation[]
  leases: Map<string, Lease>
  puts: Operation[]
  copies: Map<Key, Copy>
  /** Ghost: the operations that were known, in order; the leases that were alive here; the ends that were reported. */
  known: Operation[]
  metAlive: Set<string>
  reported: string[]
}

export interface Message {
  readonly from: string
  readonly to: string
  readonly at: number
  readonly operations: readonly Operation[]
  readonly lefts: readonly Left[]
  /** Of a sync: all that the sender had applied. */
  readonly applied: Readonly<Vector> | undefined
}

export class World {
  now = 0
  unique = 0
  net: Message[] = []
  /** Members that have ended, and the last of their operations that counts. */
  readonly ended = new Map<string, number>()
  readonly replicas: Replica[] = []
  readonly operations: Operation[] = []
  readonly counts: Counts = { grants: 0, renewals: 0, ends: 0, reads: 0, visible: 0, hidden: 0, evictions: 0 }

  readonly config: Config
  readonly mutant: string
  readonly trace: string[] | undefined

  constructor(config: Config, mutant: string, trace?: string[]) {
    this.config = config
    this.mutant = mutant
    this.trace = trace
    for (let slot = 0; slot < config.replicas; slot++) this.replicas.push(freshReplica(slot, 'ABCD'[slot]! + '0'))
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

  members(): Replica[] {
    return this.replicas.filter((r) => !this.ended.has(r.id))
  }

  /** The senior of those who are there. */
  senior(): Replica | undefined {
    return this.members().find((r) => r.up && !r.isolated)
  }
}

export function freshReplica(slot: number, id: string): Replica {
  return {
    slot,
    id,
    up: true,
    gone: false,
    downSince: 0,
    isolated: false,
    position: 0,
    applied: {},
    acks: new Map(),
    log: [],
    leases: new Map(),
    puts: [],
    copies: new Map(),
    known: [],
    metAlive: new Set(),
    reported: [],
  }
}

/** The keys that are attached to the lease, as far as it is known here. */
export const keysOf = (lease: Lease): readonly Key[] =>
  KEYS.filter((key) => lease.attachments.some(({ target }) => matches(target, key)))

export const isAttached = (lease: Lease, key: Key): boolean =>
  lease.attachments.some(({ target }) => matches(target, key))
