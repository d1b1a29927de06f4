/** Operation logs on two to four replicas in front of one primary store: the state of everything. */
import { type Counts } from '../explorer.ts'
import { KEYS, type Key, each, matches } from '../keys.ts'
import { type Vector, raise } from '../vectors.ts'
import { type Base, GENESIS, type Kind, type Operation, type Tip, UNKNOWN, type Value } from './folding.ts'

export interface Config {
  readonly kind: Kind
  readonly replicas: number
  readonly outsiders: boolean
  readonly volatile: boolean
  readonly cluster: boolean
  readonly through: boolean
  readonly salt: number
  readonly profile: number
  readonly skews: readonly number[]
}

export interface Row extends Base {
  /** Stands for the hash of the value as Warp wrote it. */
  readonly digest: Value
  readonly token: number
  /** Only for mutants that compare counts. */
  readonly version: number
  readonly through?: Operation
}

export interface Waiter {
  /** What this replica had read or written of the key before. */
  readonly seen: Readonly<Vector>
  /** How many invalidations were known. */
  readonly known: number
  readonly position: number
}

export interface Flight {
  readonly type: 'load' | 'cas' | 'ask'
  readonly id: number
  readonly begin: number
  readonly beginVector: Readonly<Vector>
  readonly beginWall: number
  isVoid: boolean
  waiters: Waiter[]
  remote: Ask[]
  then?: 'flush' | 'through'
  next?: Row
  open?: readonly Operation[]
  isThrough?: boolean
  isFence?: boolean
}

export interface KeyState {
  ops: readonly Operation[]
  base: Base
  copy: { readonly begin: number; readonly V: Readonly<Vector>; expired: boolean } | null
  stored: Vector
  row: Row | null
  flight: Flight | null
  /** Only for the mutant that repeats amounts. */
  retry: readonly Operation[] | undefined
}

export interface Pending {
  readonly operation: Operation
  tries: number
  fence: boolean
}

export interface Remembered {
  readonly operation: Operation
  readonly position: number
}

export interface Replica {
  readonly slot: number
  readonly id: string
  readonly skew: number
  up: boolean
  gone: boolean
  clock: number
  position: number
  applied: Vector
  acks: Map<string, Vector>
  log: Operation[]
  keys: Map<Key, KeyState>
  remembered: Remembered[]
  forgotten: Vector
  forgottenInvalidations: Vector
  forgottenStamp: number
  view: Set<number>
  /** The second id of this replica, for writes through. */
  readonly lane: string
  laneSequence: number
  pending: Map<Key, Pending>
  ready: Operation[]
  /** Ghosts: every invalidation ever known here, what was read or written here, and the greatest stamp that was read. */
  everKnown: Operation[]
  seen: Record<Key, Vector>
  tips: Map<Key, Tip>
}

export interface Ask {
  readonly type: 'ask'
  readonly to: string
  readonly from: string
  readonly key: Key
  readonly id: number
  readonly need: Readonly<Vector>
}

export interface Fill {
  readonly type: 'fill'
  readonly to: string
  readonly key: Key
  readonly id: number
  readonly row: Base | undefined
  readonly known: Readonly<Vector>
  readonly begin: Readonly<Vector>
}

export interface Carried {
  readonly type: 'operation'
  readonly to: string
  readonly from: string
  readonly operation: Operation
  readonly ack: Readonly<Vector>
}

export interface Hint {
  readonly type: 'stored'
  readonly to: string
  readonly key: Key
  readonly V: Readonly<Vector>
}

export type Message = Ask | Fill | Carried | Hint

export interface Request {
  readonly type: 'get' | 'cas'
  readonly key: Key
  readonly from: string
  readonly id: number
  readonly token?: number
  readonly value?: Value
  readonly next?: Row
  readonly isFence?: boolean
}

export interface Reply {
  readonly type: 'get' | 'cas'
  readonly to: string
  readonly key: Key
  readonly id: number
  readonly row?: Row
  readonly isDone?: boolean
  readonly isRefused?: boolean
}

/** Ghost: what the store held once, and the base from which it can be folded. */
export interface Held {
  readonly value: Value
  readonly V: Readonly<Vector>
  readonly tip: Tip | null
  readonly base: Base
}

export class World {
  now = 0
  unique = 0
  net: Message[] = []
  requests: Request[] = []
  replies: Reply[] = []
  readonly store: Record<Key, Row | undefined> = each(() => undefined)
  readonly history: Record<Key, Held[]> = each(() => [{ value: undefined, V: {}, tip: null, base: GENESIS }])
  readonly operations: Operation[] = []
  /** What removed tombstones stood for, and what forgotten ids stood for. */
  readonly purged: Record<Key, Vector> = each(() => ({}))
  readonly dropped: Record<Key, Vector> = each(() => ({}))
  owed: Key[] = []
  /** Incarnations whose log is gone; of these, those that membership has pruned, with the last operation that counts. */
  readonly lost = new Set<string>()
  readonly pruned = new Map<string, number>()
  /** Pruned ids that rows forget. */
  readonly forgottenIds = new Set<string>()
  readonly replicas: Replica[] = []
  readonly counts: Counts = { reads: 0, loads: 0, flushes: 0, evictions: 0, invalidations: 0, checked: 0 }

  readonly config: Config
  readonly mutant: string
  readonly trace: string[] | undefined

  constructor(config: Config, mutant: string, trace?: string[]) {
    this.config = config
    this.mutant = mutant
    this.trace = trace
    for (let slot = 0; slot < config.replicas; slot++) this.replicas.push(this.fresh(slot, 'ABCD'[slot]! + '0'))
  }

  get kind(): Kind {
    return this.config.kind
  }

  is(mutant: string): boolean {
    return this.mutant === mutant
  }

  /** A mutant of another protocol: the number of operations is the row's version, and rows say nothing else. */
  get countsOperations(): boolean {
    return this.is('count-after-read-at-rest')
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
    return this.replicas.filter((x) => !this.lost.has(x.id))
  }

  owner(r: Replica, key: Key): Replica {
    const live = this.replicas.filter((x) => x.up && !r.view.has(x.slot))
    return live[(KEYS.indexOf(key) + this.config.salt) % Math.max(1, live.length)] ?? r
  }

  rowOf(key: Key): Row {
    return this.store[key] ?? { ...GENESIS, digest: undefined, token: 0, version: 0 }
  }

  keyOf(r: Replica, key: Key): KeyState {
    let state = r.keys.get(key)
    if (state === undefined) {
      const base = this.is('base-assumed-empty') ? GENESIS : UNKNOWN
      state = { ops: [], base, copy: null, stored: {}, row: null, flight: null, retry: undefined }
      r.keys.set(key, state)
    }
    return state
  }

  fresh(slot: number, id: string): Replica {
    return {
      slot,
      id,
      skew: this.config.skews[slot]!,
      up: true,
      gone: false,
      clock: 0,
      position: 0,
      applied: {},
      acks: new Map(),
      log: [],
      keys: new Map(),
      remembered: [],
      forgotten: {},
      forgottenInvalidations: {},
      forgottenStamp: 0,
      view: new Set(),
      lane: id + 't',
      laneSequence: 0,
      pending: new Map(),
      ready: [],
      everKnown: [],
      seen: each(() => ({})),
      tips: new Map(),
    }
  }
}

export function knownOf(state: KeyState): Vector {
  const V = { ...state.base.V }
  for (const o of state.ops) raise(V, o)
  return V
}

export const isDirty = (state: KeyState): boolean =>
  Object.entries(knownOf(state)).some(([r, s]) => (state.stored[r] ?? 0) < s)

export const rememberedOf = (r: Replica, key: Key): Remembered[] =>
  r.remembered.filter((i) => matches(i.operation.target, key))

export const newFlight = (w: World, r: Replica, type: Flight['type'], waiters: Waiter[] = []): Flight => ({
  type,
  id: ++w.unique,
  begin: r.position,
  beginVector: {},
  beginWall: w.now * 20 + r.skew,
  isVoid: false,
  waiters,
  remote: [],
})
