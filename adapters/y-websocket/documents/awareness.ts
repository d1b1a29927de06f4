/**
 * Who is at a document, with cursor and name: kept as it came, by client and clock, and never logged. Clients
 * renew what they say every 15 s, and so does whoever has gone unheard not come back.
 *
 * A client's state belongs to the connection that has said it first: clients send what they have heard of
 * others back, and whoever took that for their word could be told anybody's name.
 */
import type { ClientState } from '../frames/frames.ts'

/** A connection, or the name of another server. */
export type Owner = object | string

interface Known {
  clock: number
  json: string
  /** `undefined`: it has gone. */
  owner: Owner | undefined
  heardMs: number
}

/** As clients do it themselves. */
const SILENT_MS_MAX = 30_000
/** A connection that has not renewed a state for so long may have been replaced by another one. */
const TAKEN_OVER_AFTER_MS = 20_000
/** What has gone is remembered for so long, so that an echo does not bring it back. */
const REMEMBERED_MS = 60_000
const STATES_MAX = 10_000
const OF_ONE_CONNECTION_MAX = 64
const GONE = 'null'

export interface AwarenessLimits {
  readonly awarenessBytesMax: number
}

export class Awareness {
  readonly #limits: AwarenessLimits
  readonly #known = new Map<number, Known>()
  readonly #changed = new Set<number>()
  /** What has changed by the word of connections here, for other servers. */
  readonly #changedHere = new Set<number>()

  constructor(limits: AwarenessLimits) {
    this.#limits = limits
  }

  /** How many are there. */
  get count(): number {
    let count = 0
    for (const { owner } of this.#known.values()) if (owner !== undefined) count++
    return count
  }

  /** What a connection says. Returns how many states it had no right to say, or that are too long. */
  hear(owner: object, states: readonly ClientState[], nowMs: number, user?: object): number {
    let refusedCount = 0
    for (const state of states) {
      const outcome = this.#take(owner, state, nowMs, user)
      if (outcome === 'refused') refusedCount++
      if (outcome === 'taken') this.#changedHere.add(state.id)
    }
    return refusedCount
  }

  /** What another server says of its connections. */
  hearFrom(server: string, states: readonly ClientState[], nowMs: number): void {
    for (const { id, clock, json } of states) {
      const known = this.#known.get(id)
      if (isNewer(clock, json, known) && (known !== undefined || this.#known.size < STATES_MAX))
        this.#set(id, { clock, json, owner: json === GONE ? undefined : server, heardMs: nowMs })
    }
  }

  /** A connection has gone, and with it what it had said. */
  leave(owner: object, nowMs: number): void {
    for (const [id, known] of this.#known) if (known.owner === owner) this.#remove(id, known, nowMs)
  }

  /** Lets those go who have not been heard of. Returns whether there are any. */
  look(nowMs: number): boolean {
    for (const [id, known] of this.#known) {
      const silentMs = nowMs - known.heardMs
      if (known.owner === undefined && silentMs > REMEMBERED_MS) this.#known.delete(id)
      else if (known.owner !== undefined && silentMs > SILENT_MS_MAX) this.#remove(id, known, nowMs)
    }
    return this.#changed.size > 0
  }

  /** All who are there; `here`: at this server only. */
  states(isHere = false): ClientState[] {
    const states: ClientState[] = []
    for (const [id, { clock, json, owner }] of this.#known)
      if (owner !== undefined && !(isHere && typeof owner === 'string')) states.push({ id, clock, json })
    return states
  }

  /** What has changed since this was asked last: for clients, and for other servers. */
  takeChanged(): { readonly all: readonly ClientState[]; readonly here: readonly ClientState[] } {
    const changes = { all: this.#statesOf(this.#changed), here: this.#statesOf(this.#changedHere) }
    this.#changed.clear()
    this.#changedHere.clear()
    return changes
  }

  #take(owner: object, state: ClientState, nowMs: number, user: object | undefined): 'taken' | 'known' | 'refused' {
    const { id, clock } = state
    const known = this.#known.get(id)
    if (!isNewer(clock, state.json, known)) return 'known'
    if (known?.owner !== owner && !this.#mayClaim(owner, known, nowMs)) return 'refused'
    const json = this.#checked(state.json, user)
    if (json === undefined) return 'refused'
    this.#set(id, { clock, json, owner: json === GONE ? undefined : owner, heardMs: nowMs })
    return 'taken'
  }

  /** Whether a connection may speak for a client for which it has not spoken yet. */
  #mayClaim(owner: object, known: Known | undefined, nowMs: number): boolean {
    if (known?.owner !== undefined && nowMs - known.heardMs < TAKEN_OVER_AFTER_MS) return false
    if (known === undefined && this.#known.size >= STATES_MAX) return false
    return this.#countOf(owner) < OF_ONE_CONNECTION_MAX
  }

  /** As others may be shown it; `undefined`: not at all. */
  #checked(json: string, user: object | undefined): string | undefined {
    if (json.length > this.#limits.awarenessBytesMax) return undefined
    let state: unknown
    try {
      state = JSON.parse(json)
    } catch {
      return undefined
    }
    if (state === null) return GONE
    if (typeof state !== 'object') return undefined
    return user === undefined ? json : JSON.stringify({ ...state, user })
  }

  #countOf(owner: object): number {
    let count = 0
    for (const known of this.#known.values()) if (known.owner === owner) count++
    return count
  }

  #remove(id: number, { clock, owner }: Known, nowMs: number): void {
    this.#set(id, { clock: clock + 1, json: GONE, owner: undefined, heardMs: nowMs })
    if (typeof owner !== 'string') this.#changedHere.add(id)
  }

  #set(id: number, known: Known): void {
    this.#known.set(id, known)
    this.#changed.add(id)
  }

  #statesOf(ids: ReadonlySet<number>): ClientState[] {
    return [...ids].map((id) => {
      const { clock, json } = this.#known.get(id)!
      return { id, clock, json }
    })
  }
}

/** As Yjs's clients decide it: a later clock, or the end of what is there. */
function isNewer(clock: number, json: string, known: Known | undefined): boolean {
  if (known === undefined) return json !== GONE
  return clock > known.clock || (clock === known.clock && json === GONE && known.owner !== undefined)
}
