/**
 * Sessions of express-session as keys of the engine.
 *
 * A session lives as long as its cookie: each write says how long. A visit that changes nothing only
 * prolongs it (`touch`), at most once in a quarter of its life, by writing it again. Such a write carries
 * the whole session, so it can win over a change, or a logout, that another replica makes at the same
 * moment. A pattern with `ttl: 'sliding', sliding: 'replicas'` does better: there a life is prolonged by an
 * operation that carries nothing, and the pattern says how long a session lives.
 */
import { type SessionData, Store } from 'express-session'
import { checkOptions, isNumberFrom, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { type FrontedEngine, KeyspaceFront } from '../../src/api/front/keyspace-front.ts'
import type { WriteOptions } from '../../src/index.ts'

/** What the store uses of an engine; every `Warp` has it. */
export interface SessionEngine extends FrontedEngine {
  touch(key: string, options?: Omit<WriteOptions, 'ttlMs'>): Promise<unknown>
}

export interface WarpSessionStoreOptions {
  /** How long a session lives whose cookie has no end, ms. Default 86,400,000, a day. */
  readonly ttlMs?: number
  /**
   * Replicas that hold a session before the response goes out, as in `warp.set`: so whichever replica
   * answers next knows it. Default: this one.
   */
  readonly acks?: WriteOptions['acks']
}

type Done<Value> = (error: unknown, value?: Value) => void

/** What is kept of a session. `untilMs` is absent where the pattern says how long it lives. */
interface KeptSession {
  readonly session: SessionData
  readonly untilMs?: number
}

const OPTIONS = optionNames<WarpSessionStoreOptions>({ ttlMs: true, acks: true })
const DAY_MS = 86_400_000
/** A life is prolonged when so much of it would be gained. */
const SHARE_WORTH_A_WRITE = 1 / 4

/**
 * A store for express-session:
 *
 *     app.use(session({ store: new WarpSessionStore(warp, 'session:*'), secret, resave: false, saveUninitialized: false }))
 *
 * Throws `WARP_E_PATTERN`, `WARP_E_UNREGISTERED_KEY` if the engine has no such pattern, and `WARP_E_CONFIG` if
 * its strategy has no `set`, or if it loads: a session that has to make room would be a logout.
 */
export class WarpSessionStore extends Store {
  readonly #front: KeyspaceFront
  readonly #engine: SessionEngine
  readonly #ttlMs: number
  readonly #write: WriteOptions
  #slides: Promise<boolean> | undefined

  constructor(warp: SessionEngine, pattern: string, options: WarpSessionStoreOptions = {}) {
    super()
    checkOptions('WarpSessionStore', options, OPTIONS)
    const { ttlMs = DAY_MS, acks } = options
    if (!isNumberFrom(ttlMs, 1))
      throw refusedOption('WarpSessionStore', 'ttlMs', ttlMs, 'give milliseconds, at least 1')
    this.#front = new KeyspaceFront('WarpSessionStore', warp, pattern)
    if (this.#front.isOfCopies)
      throw refusedOption('WarpSessionStore', 'pattern', pattern, 'give one with register() and without load')
    this.#engine = warp
    this.#ttlMs = ttlMs
    this.#write = acks === undefined ? {} : { acks }
  }

  override get(id: string, done: Done<SessionData | null>): void {
    answer(done, async () => copyOf(await this.#front.get(id)))
  }

  override set(id: string, session: SessionData, done?: Done<void>): void {
    answer(done, () => this.#set(id, session))
  }

  override destroy(id: string, done?: Done<void>): void {
    answer(done, async () => void (await this.#front.delete(id, this.#write)))
  }

  override touch(id: string, session: SessionData, done?: Done<void>): void {
    answer(done, () => this.#touch(id, session))
  }

  override all(done: Done<Record<string, SessionData>>): void {
    answer(done, async () => {
      const sessions: Record<string, SessionData> = {}
      for await (const [id, kept] of this.#front.entries()) sessions[id] = copyOf(kept) as SessionData
      return sessions
    })
  }

  override length(done: Done<number>): void {
    answer(done, async () => {
      let count = 0
      for await (const _ of this.#front.names()) count++
      return count
    })
  }

  override clear(done?: Done<void>): void {
    answer(done, () => this.#front.clear())
  }

  async #set(id: string, session: SessionData): Promise<void> {
    if (await this.#isSliding()) await this.#front.set(id, { session: plain(session) }, undefined, this.#write)
    else await this.#keep(id, session, this.#lifeOf(session))
  }

  #keep(id: string, session: SessionData, lifeMs: number): Promise<void> {
    return this.#front.set(id, { session: plain(session), untilMs: Date.now() + lifeMs }, lifeMs, this.#write)
  }

  async #touch(id: string, session: SessionData): Promise<void> {
    const key = this.#front.keyOf(id)
    if (await this.#isSliding()) {
      await this.#engine.touch(key, this.#write)
      return
    }
    await this.#front.get(id)
    // From here to the write nothing else happens in this process: what has been destroyed stays so.
    const kept = this.#engine.peek(key) as KeptSession | undefined
    if (kept === undefined) return
    const lifeMs = this.#lifeOf(session)
    const gainedMs = Date.now() + lifeMs - (kept.untilMs ?? 0)
    if (gainedMs < lifeMs * SHARE_WORTH_A_WRITE) return
    await this.#keep(id, { ...kept.session, cookie: session.cookie }, lifeMs)
  }

  /** Whether reads prolong lives on every replica; asked once, with a key that no session has. */
  #isSliding(): Promise<boolean> {
    return (this.#slides ??= this.#engine.touch(this.#front.sample).then(
      () => true,
      (error: unknown) => {
        if (isWarpError(error, 'WARP_E_MODE')) return false
        this.#slides = undefined
        throw error
      },
    ))
  }

  #lifeOf({ cookie }: SessionData): number {
    const { expires } = cookie as { readonly expires?: Date | string | null }
    return expires === undefined || expires === null ? this.#ttlMs : new Date(expires).getTime() - Date.now()
  }
}

/** What JSON keeps of a session, which is what other stores keep. */
function plain(session: SessionData): unknown {
  return JSON.parse(JSON.stringify(session))
}

/** Express changes what it is given; values of the engine are frozen. */
function copyOf(kept: unknown): SessionData | null {
  return kept === undefined ? null : structuredClone((kept as KeptSession).session)
}

/** What a callback throws is not taken for an error of the store. */
function answer<Value>(done: Done<Value> | undefined, call: () => Promise<Value>): void {
  void call().then(
    (value) => queueMicrotask(() => done?.(null, value)),
    (error: unknown) => queueMicrotask(() => done?.(error)),
  )
}
