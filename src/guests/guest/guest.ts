/**
 * A guest: holds the states of some patterns, shows its own writes at once, and hands them to whichever
 * gateway it reaches, each once. It has no log, no vector of its own and no place in anybody else's.
 */
import { decode, encode } from '../../../crdt/encoding/encoding.ts'
import type { Query, Verb } from '../../../crdt/strategy.ts'
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { nextHlc, type Hlc } from '../../../crdt/time/hlc.ts'
import { replicaIdFromBytes, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { WarpError, type WarpErrorCode } from '../../../crdt/warp-error.ts'
import { checkOptions } from '../../../crdt/checked-options.ts'
import { checkKey, payloadBytesMax, payloadTooLarge } from '../../keys/key-refusals.ts'
import { compilePattern } from '../../keys/pattern.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { KeyMap } from '../../keys/typed-keys.ts'
import { LIFE_MS_MAX } from '../../limits.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'
import { whenAborted } from '../../ports/abort-signals.ts'
import type { Env } from '../../ports/env.ts'
import type { GuestLink } from '../../ports/guest-link/guest-link.ts'
import type { Answer, GatewayFrame, KeyState, Welcome } from '../frames.ts'
import { Connection } from './connection.ts'
import { guestSettings, type GuestSettings } from './guest-options.ts'
import type {
  Guest,
  GuestConnection,
  GuestOptions,
  GuestStatus,
  GuestWaitOptions,
  GuestWriteOptions,
  GuestWritten,
} from './guest-types.ts'
import { HeldKey, equalBytes } from './held-key.ts'
import { Outbox, type Outgoing } from './outbox.ts'
import { Listeners } from './listeners.ts'

export interface GuestPlatform {
  readonly env: Env
  /** Makes a link to a gateway. Rejects if that cannot be done. */
  readonly dial: (signal: AbortSignal) => Promise<GuestLink>
}

/** All values that wait, in bytes. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024
const ID_BYTES = 8
const WRITE_OPTIONS = ['ttlMs']
const WAIT_OPTIONS = ['signal']

/** Opens a guest: it is there at once, and connects. Throws as `guestSettings` does. */
export function openGuestOn<const K extends KeyMap>(
  platform: GuestPlatform,
  options: GuestOptions<K>,
  known: readonly string[] = [],
): Guest<K> {
  const guest = new OpenGuest(platform, guestSettings(options, known))
  whenAborted(options.signal, () => guest.close())
  if (options.signal?.aborted === true) guest.close()
  return guest as unknown as Guest<K>
}

/** Without the types that follow from the key patterns. */
class OpenGuest {
  readonly guest: ReplicaId
  readonly #env: Env
  readonly #settings: GuestSettings
  readonly #connection: Connection
  readonly #held = new Map<string, HeldKey>()
  readonly #outbox = new Outbox()
  readonly #listeners: Listeners
  readonly #waiting = new Set<() => void>()
  #state: GuestConnection = 'connecting'
  #status: GuestStatus | undefined
  #isReady = false
  #seen: VectorEntries = []
  #sequence = 0
  #hlc: Hlc = 0
  #clockSkewMs = 0

  constructor({ env, dial }: GuestPlatform, settings: GuestSettings) {
    this.#env = env
    this.#settings = settings
    const id = env.random(ID_BYTES).slice()
    // Ids of replicas have the lowest bit clear, and so have those of guests.
    id[ID_BYTES - 1]! &= 0xfe
    this.guest = replicaIdFromBytes(id)
    this.#listeners = new Listeners((error) => settings.observe({ kind: 'guest:failed', error }))
    this.#connection = new Connection({
      ...{ env, dial, backoffMs: settings.backoffMs },
      hello: async () => ({
        ...{ kind: 'hello', guest: this.guest, token: await settings.token(), patterns: settings.patterns },
        ...{ seen: this.#seen, pinned: this.#outbox.pinned ?? '' },
      }),
      receive: (frame) => this.#receive(frame),
      drained: () => this.#push(),
      down: (error, isRefused, retryMs) => this.#down(error, isRefused, retryMs),
    })
    this.#connection.open()
  }

  peek(key: string): unknown {
    this.#assertOpen()
    const held = this.#held.get(key)
    if (held !== undefined) return held.value(this.#nowMs())
    this.#keyspaceOf(key)
    return undefined
  }

  async get(key: string, options?: GuestWaitOptions): Promise<unknown> {
    this.#keyspaceOf(key)
    await this.ready(options)
    return this.peek(key)
  }

  set(key: string, value: unknown, options?: GuestWriteOptions): GuestWritten {
    const { strategy } = this.#keyspaceOf(key)
    const set = verbOf(strategy.verbs, 'set')
    if (set === undefined)
      throw new WarpError(
        'WARP_E_MODE',
        `'${key}' has no set: its strategy '${strategy.kind}' offers other verbs; use key()`,
      )
    return this.#write(key, set, [value], options)
  }

  delete(key: string): GuestWritten {
    const { strategy } = this.#keyspaceOf(key)
    if (strategy.deletes === 'refused')
      throw new WarpError('WARP_E_MODE', `'${key}' cannot be deleted: its strategy '${strategy.kind}' refuses it`)
    return this.#write(key, undefined, [], undefined)
  }

  key(key: string): object {
    const { strategy } = this.#keyspaceOf(key)
    const handle: Record<string, unknown> = {
      key,
      peek: () => this.peek(key),
      delete: () => this.delete(key),
      onChange: (listener: () => void) => this.onChange(key, listener),
    }
    for (const [name, verb] of Object.entries(strategy.verbs as Record<string, Verb<unknown>>))
      handle[name] = (...parameters: readonly unknown[]) => this.#write(key, verb, parameters, undefined)
    for (const [name, query] of Object.entries((strategy.queries ?? {}) as Record<string, Query<unknown>>))
      handle[name] = (...parameters: readonly unknown[]) => query(this.#heldOf(key).state(this.#nowMs()), ...parameters)
    return Object.freeze(handle)
  }

  keys(pattern = '*'): string[] {
    this.#assertOpen()
    const { matches } = boundPattern(pattern)
    const nowMs = this.#nowMs()
    const found: string[] = []
    for (const held of this.#held.values())
      if (matches(held.key) && held.value(nowMs) !== undefined) found.push(held.key)
    return found
  }

  onChange(key: string, listener: () => void): () => void {
    this.#keyspaceOf(key)
    return this.#listeners.ofKey(key, listener)
  }

  onAny(listener: (key: string) => void): () => void {
    this.#assertOpen()
    return this.#listeners.ofAny(listener)
  }

  status(): GuestStatus {
    const { pinned } = this.#outbox
    return (this.#status ??= Object.freeze({
      ...{ connection: this.#state, unsyncedCount: this.#outbox.size, isReady: this.#isReady },
      ...(pinned === undefined ? {} : { pinnedTo: pinned }),
      clockSkewMs: this.#clockSkewMs,
    }))
  }

  onStatus(listener: (status: GuestStatus) => void): () => void {
    return this.#listeners.ofStatus(listener)
  }

  ready(options?: GuestWaitOptions): Promise<void> {
    return this.#until(() => this.#isReady, 'ready', options)
  }

  synced(options?: GuestWaitOptions): Promise<void> {
    const last = this.#sequence
    return this.#until(() => (this.#outbox.first ?? Infinity) > last, 'synced', options)
  }

  reconnect(): void {
    this.#assertOpen()
    this.#connection.open()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#connection.close()
    this.#setState('closed')
    for (const { sentTo, reject, held } of this.#outbox.all()) {
      const outcome = sentTo === undefined ? 'failed' : 'indeterminate'
      reject(
        new WarpError('WARP_E_CLOSED', `the guest was closed before a write of '${held.key}' was answered`, {
          outcome,
        }),
      )
    }
    this.#wake()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #write(
    key: string,
    verb: Verb<unknown> | undefined,
    parameters: readonly unknown[],
    options: GuestWriteOptions | undefined,
  ): GuestWritten {
    checkOptions('set', options, WRITE_OPTIONS)
    const lifeMs = checkedLife(options?.ttlMs)
    const held = this.#heldOf(key)
    this.#assertRoom()
    const sequence = this.#sequence + 1
    const before = this.#shownBytes(held)
    const payload = verb === undefined ? undefined : this.#prepare({ held, verb, parameters, sequence })
    if (verb === undefined ? held.isNothing : payload === undefined) {
      this.#letGo(held)
      return { accepted: Promise.resolve(undefined) }
    }
    const bytes = payload?.length ?? 0
    const limit = payloadBytesMax(held.keyspace.strategy)
    if (bytes > limit) throw payloadTooLarge(key, held.keyspace.strategy, bytes)
    this.#sequence = sequence
    this.#hlc = nextHlc(this.#hlc, this.#nowMs())
    let settle: Pick<Outgoing, 'resolve' | 'reject'> | undefined
    const accepted = new Promise<Dot | undefined>((resolve, reject) => (settle = { resolve, reject }))
    ignoreOutcome(accepted)
    const write: Outgoing = {
      ...{ sequence, held, kind: verb === undefined ? OPERATION_KIND.delete : OPERATION_KIND.update },
      payload: payload === undefined ? undefined : decode(payload),
      ...{ hlc: this.#hlc, lifeMs, bytes, ...held.seen(), seen: this.#seen, isAnswered: false, sentTo: undefined },
      ...(settle as unknown as Pick<Outgoing, 'resolve' | 'reject'>), // the promise has called it by now
    }
    held.add(write)
    this.#outbox.add(write)
    this.#tellIfChanged(held, before)
    this.#statusChanged()
    this.#env.defer(() => this.#push())
    return { accepted }
  }

  /** Runs a verb. Returns its payload in bytes. */
  #prepare({ held, verb, parameters, sequence }: Preparing): Uint8Array | undefined {
    const changes = held.keyspace.strategy.appliesOnPrepare === true
    try {
      const state = (): unknown => held.state(this.#nowMs())
      const payload = verb({ replica: this.guest, sequence, state }, ...parameters)
      return payload === undefined ? undefined : encode(payload)
    } finally {
      if (changes) held.spoilt()
    }
  }

  #assertRoom(): void {
    const { pendingMax } = this.#settings
    if (this.#outbox.size < pendingMax && this.#outbox.bytes < PENDING_BYTES_MAX) return
    throw new WarpError(
      'WARP_E_LIMIT',
      `${this.#outbox.size} writes with ${this.#outbox.bytes} bytes wait for a gateway; the limit is ${pendingMax} and ${PENDING_BYTES_MAX} bytes; wait for synced()`,
      { details: { limit: pendingMax } },
    )
  }

  #receive(frame: GatewayFrame): void {
    switch (frame.kind) {
      case 'welcome':
        this.#welcomed(frame)
        return
      case 'states':
        for (const state of frame.states) this.#take(state)
        return
      case 'watermark':
        this.#seenUpTo(frame.seen)
        return
      case 'answers':
        for (const answer of frame.answers) this.#answered(answer)
        this.#statusChanged()
        this.#wake()
        this.#push()
        return
      case 'pong':
        this.#setClock(frame.nowMs)
        return
      case 'refused':
        this.#settings.observe({ kind: 'guest:failed', error: new WarpError(codeOf(frame.code), frame.message) })
        return
    }
  }

  #welcomed(welcome: Welcome): void {
    this.#setClock(welcome.nowMs)
    this.#connection.beatMs = welcome.heartbeatMs
    this.#outbox.welcomed(welcome)
    if (welcome.isReset) {
      this.#seen = []
      for (const held of this.#held.values()) held.isStale = true
    }
    this.#setState('syncing')
    this.#push()
  }

  #take(state: KeyState): void {
    const keyspace = this.#settings.keyspaces.find(state.key)
    // Another build asks for fewer patterns than its strategies; what cannot be read is not held.
    if (keyspace === undefined || (state.state !== undefined && state.strategy !== keyspace.code)) return
    const held = this.#held.get(state.key) ?? new HeldKey(this.guest, state.key, keyspace)
    this.#held.set(state.key, held)
    const before = held.own.length > 0 ? this.#shownBytes(held) : undefined
    const hadOwn = held.own.length > 0
    const isChanged = held.take(state)
    if (hadOwn) this.#tellIfChanged(held, before)
    else if (isChanged) this.#listeners.tell(held.key)
    this.#letGo(held)
  }

  #seenUpTo(seen: VectorEntries): void {
    this.#seen = seen
    for (const held of [...this.#held.values()]) {
      if (!held.isStale) continue
      const before = this.#shownBytes(held)
      held.forget()
      this.#tellIfChanged(held, before)
      this.#letGo(held)
    }
    this.#isReady = true
    this.#setState('live')
    this.#wake()
  }

  #answered(answer: Answer): void {
    const write = this.#outbox.answered(answer)
    if (write === undefined) return
    const { held, resolve, reject } = write
    if (answer.refusal === undefined) {
      if (answer.dot === undefined) write.isAnswered = true
      else held.named(write, answer.dot, answer.isPrefix === true)
      if (answer.isUnsent === true) this.#dropShown(write)
      resolve(answer.dot)
      return
    }
    const { code, message } = answer.refusal
    const error = new WarpError(codeOf(code), `the gateway has refused a write of '${held.key}': ${message}`, {
      details: { key: held.key },
    })
    this.#dropShown(write)
    this.#settings.observe({ kind: 'write:rejected', key: held.key, error })
    reject(error)
  }

  /** What the write shows is gone. */
  #dropShown(write: Outgoing): void {
    const { held } = write
    const before = this.#shownBytes(held)
    held.drop(write)
    this.#tellIfChanged(held, before)
    this.#letGo(held)
  }

  /** Sends what may be sent, as long as the link takes it. */
  #push(): void {
    if (this.#state !== 'syncing' && this.#state !== 'live') return
    for (let push = this.#outbox.next(); push !== undefined; push = this.#outbox.next())
      if (!this.#connection.send(push)) return
  }

  #down(error: Error, isRefused: boolean, retryMs: number): void {
    this.#outbox.disconnected()
    this.#setState(isRefused ? 'refused' : 'connecting')
    this.#settings.observe({ kind: 'link:down', error, retryMs })
  }

  #setClock(gatewayMs: number): void {
    this.#clockSkewMs = gatewayMs - this.#env.now()
    this.#status = undefined
  }

  #nowMs(): number {
    return this.#env.now() + this.#clockSkewMs
  }

  #setState(state: GuestConnection): void {
    if (this.#state === 'closed' || this.#state === state) return
    this.#state = state
    this.#statusChanged()
  }

  #statusChanged(): void {
    this.#status = undefined
    this.#listeners.tellStatus(() => this.status())
  }

  #heldOf(key: string): HeldKey {
    const known = this.#held.get(key)
    if (known !== undefined) {
      this.#assertOpen()
      return known
    }
    const held = new HeldKey(this.guest, key, this.#keyspaceOf(key))
    this.#held.set(key, held)
    return held
  }

  #letGo(held: HeldKey): void {
    if (held.isNothing) this.#held.delete(held.key)
  }

  #shownBytes(held: HeldKey): Uint8Array | undefined {
    if (!this.#listeners.hasFor(held.key)) return undefined
    const shown = held.shown(this.#nowMs())
    return shown === undefined ? undefined : encode(shown)
  }

  #tellIfChanged(held: HeldKey, before: Uint8Array | undefined): void {
    if (!this.#listeners.hasFor(held.key)) return
    if (!equalBytes(before, this.#shownBytes(held))) this.#listeners.tell(held.key)
  }

  #keyspaceOf(key: string): Keyspace {
    this.#assertOpen()
    checkKey(key)
    const keyspace = this.#settings.keyspaces.find(key)
    if (keyspace !== undefined) return keyspace
    throw new WarpError(
      'WARP_E_UNREGISTERED_KEY',
      `no key pattern matches '${key}'; register one in openGuest({ keys })`,
      {
        details: { key },
      },
    )
  }

  #assertOpen(): void {
    if (this.#state === 'closed') throw closed()
  }

  #until(isDone: () => boolean, call: string, options: GuestWaitOptions | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      checkOptions(call, options, WAIT_OPTIONS)
      const signal = options?.signal
      const look = (): void => {
        const error = isDone() ? undefined : this.#whyNot(call, signal)
        if (!isDone() && error === undefined) return
        this.#waiting.delete(look)
        stop()
        if (error === undefined) resolve()
        else reject(error)
      }
      const stop = whenAborted(signal, look)
      this.#waiting.add(look)
      look()
    })
  }

  #whyNot(call: string, signal: AbortSignal | undefined): WarpError | undefined {
    if (this.#state === 'closed') return closed()
    if (signal?.aborted !== true) return undefined
    return new WarpError('WARP_E_ABORTED', `${call} was given up`, { cause: signal.reason })
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look()
  }
}

interface Preparing {
  readonly held: HeldKey
  readonly verb: Verb<unknown>
  readonly parameters: readonly unknown[]
  readonly sequence: number
}

function boundPattern(text: string): { readonly matches: (key: string) => boolean } {
  const pattern = compilePattern(text)
  return { matches: (key) => pattern.matches(key) }
}

function verbOf(verbs: unknown, name: string): Verb<unknown> | undefined {
  return (verbs as Readonly<Record<string, Verb<unknown> | undefined>>)[name]
}

/** A code that this build does not know is a refusal all the same. */
function codeOf(code: string): WarpErrorCode {
  return /^WARP_E_[A-Z_]+$/.test(code) ? (code as WarpErrorCode) : 'WARP_E_REJECTED'
}

function checkedLife(ttlMs: number | undefined): number {
  if (ttlMs === undefined) return 0
  if (typeof ttlMs === 'number' && ttlMs >= 1 && ttlMs <= LIFE_MS_MAX) return Math.ceil(ttlMs)
  throw new WarpError('WARP_E_LIMIT', `ttlMs is ${String(ttlMs)}; give milliseconds from 1 to ${LIFE_MS_MAX}`)
}

function closed(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'this guest has been closed; open another one')
}
