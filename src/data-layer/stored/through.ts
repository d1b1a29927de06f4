/**
 * Writing through: the store decides first, and only then does the write become an operation. So what
 * the store refuses was never there. Before that the row names the write by a name of its own
 * (`FIELD.rowName`): a writer that is new with each opening, and a number.
 *
 * Where it is not known what a request has done, the row tells. And what nobody waits for any more is
 * decided by a *fence*: a compare-and-set that changes nothing but the token, behind which no earlier
 * try can land.
 */
import { normalForm } from '../../../crdt/encoding/normal-form.ts'
import { detached } from '../../../crdt/encoding/shared-value.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { replicaIdFromBytes, REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { Source } from '../../keys/source/source.ts'
import { pause, whenAborted } from '../../ports/abort-signals.ts'
import type { Env } from '../../ports/env.ts'
import type { RowOutcome, StoreRow } from '../../ports/primary-store.ts'
import type { EngineEvent } from '../../store/event.ts'
import type { KeyStore, ThroughWrite } from '../../store/key-store.ts'
import type { Invalidations } from '../invalidations.ts'
import type { Keeper } from '../keeper.ts'
import { valueDigest } from './rows/base.ts'
import type { Flusher } from './flusher.ts'
import { isIn, type OpenOperation } from './rows/open-operation.ts'
import { encodeMeta } from './rows/row-meta.ts'
import { isBroken, type StoreClient } from './store-client.ts'
import type { KnownRow, StoredKey } from './stored-key.ts'
import type { StoredKeys } from './stored-keys.ts'

export interface ThroughOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly keys: StoredKeys
  readonly keeper: Keeper
  readonly invalidations: Invalidations
  readonly observe: (event: EngineEvent) => void
  /** Other replicas may be told what its row holds. */
  readonly tell: (stored: StoredKey) => void
}

/** Who brings the row to the store, and plans what it holds then. */
export interface Way {
  readonly client: StoreClient
  readonly flusher: Flusher
}

interface Pending {
  readonly write: ThroughWrite
  readonly way: Way
  readonly stored: StoredKey
  readonly operation: OpenOperation
  readonly untilMs: number
  /** How many invalidations had been seen when the last request began. */
  begin: number
  /** A request was sent and it is not known what it did. */
  isOpen: boolean
}

type Tried =
  | { readonly kind: 'stored' }
  | { readonly kind: 'rejected'; readonly error: Error }
  /** Somebody else wrote meanwhile, or it is not known. */
  | { readonly kind: 'again'; readonly error?: Error }

const AGAIN_MS = 10
const AGAIN_MS_MAX = 2000
const TOKEN_BYTES = 16

export class Through {
  readonly #options: ThroughOptions
  readonly #writer: ReplicaId
  #sequence = 0
  #isClosed = false
  /** Writes under way, and those of which it is not known whether the store has them. */
  pendingCount = 0

  constructor(options: ThroughOptions) {
    this.#options = options
    const bytes = options.env.random(REPLICA_ID_BYTES).slice()
    // Ids of replicas have the lowest bit clear.
    bytes[REPLICA_ID_BYTES - 1]! &= 0xfe
    this.#writer = replicaIdFromBytes(bytes)
  }

  /**
   * Resolves with what the write has become once the store has it. Rejects with `WARP_E_STORE`:
   * `outcome: 'failed'` where the store will never have it, `'indeterminate'` where that is not known
   * yet. With `WARP_E_ABORTED` as soon as the signal fires, whatever the store is doing: what has been
   * begun is brought to its end all the same.
   */
  write<Result>(write: ThroughWrite<Result>, keyspace: Keyspace, way: Way): Promise<Result> {
    const carried = this.#carryOut(write, keyspace, way)
    const { signal, key } = write
    if (signal === undefined) return carried
    return new Promise((resolve, reject) => {
      const stop = whenAborted(signal, () => reject(abortedWrite(key, way.client.store.name, signal, 'indeterminate')))
      carried.then(resolve, reject).finally(stop)
    })
  }

  async #carryOut<Result>(write: ThroughWrite<Result>, keyspace: Keyspace, way: Way): Promise<Result> {
    const { keys, env } = this.#options
    const { rules } = keyspace.source as Source
    const untilMs = env.monotonic() + rules.hardTimeoutMs
    const stored = keys.of(write.key, keyspace)
    this.pendingCount++
    // Another try comes by a timer, which alone would not keep a program there that awaits the write.
    const letGo = env.stayAlive?.()
    await stored.acquire()
    let isLeft = false
    try {
      if (write.signal?.aborted === true) throw abortedWrite(write.key, way.client.store.name, write.signal, 'failed')
      // What the verb makes of the key depends on what was written before.
      const prepared = write.prepare()
      if (prepared === undefined) return await write.unchanged()
      const operation = this.#draft(write, prepared.payload, keyspace)
      const pending: Pending = { write, way, stored, operation, untilMs, begin: 0, isOpen: false }
      const tried = await this.#try(pending)
      if (tried.kind === 'stored') {
        const entering = this.#note(write, pending)
        this.#keep(pending)
        return await entering
      }
      if (tried.kind === 'again' && pending.isOpen) {
        isLeft = true
        void this.#decide(pending)
      }
      throw refusedBy(pending, tried)
    } finally {
      letGo?.()
      if (!isLeft) {
        this.pendingCount--
        stored.release()
      }
    }
  }

  close(): void {
    this.#isClosed = true
  }

  /** Its place among others is that of the operation that it will be; its name is one of its own. */
  #draft({ kind }: ThroughWrite, payload: unknown, { domain, strategy }: Keyspace): OpenOperation {
    const { store } = this.#options
    const { applied } = store
    const rowName: Dot = { replica: this.#writer, sequence: ++this.#sequence }
    return {
      ...{ hlc: store.clock.tick(), replica: store.writers.of(domain).replica, sequence: 0 },
      ...{ kind, strategy: strategy.code, position: -1, others: [rowName] },
      draft: { payload, observed: (replica, sequence) => applied.includes(replica, sequence) },
    }
  }

  /** Until the store has it, or says that it will never have it, or the time is over. */
  async #try(pending: Pending): Promise<Tried> {
    const { env } = this.#options
    let delayMs = AGAIN_MS
    for (;;) {
      const tried = await this.#tryOnce(pending)
      if (tried.kind === 'rejected' && pending.isOpen) {
        // An earlier try may still land.
        const fenced = await this.#fence(pending)
        if (fenced === 'stored') return { kind: 'stored' }
        if (fenced === 'fenced') return tried
      } else if (tried.kind !== 'again') return tried
      if (this.#isClosed || pending.write.signal?.aborted === true) return tried
      if (env.monotonic() + delayMs >= pending.untilMs)
        return { kind: 'again', ...(tried.error === undefined ? {} : { error: tried.error }) }
      await pause(env, delayMs, pending.write.signal)
      delayMs = Math.min(AGAIN_MS_MAX, delayMs * 2)
    }
  }

  async #tryOnce(pending: Pending): Promise<Tried> {
    const { stored, way, operation } = pending
    const wasOpen = pending.isOpen
    pending.begin = this.#options.invalidations.count
    try {
      const known = await this.#rowOf(pending)
      if (holds(known, operation)) return { kind: 'stored' }
      await this.#options.keys.gatherSteps(stored)
      const taken = this.#options.keys.taken(stored, known.base)
      const plan = way.flusher.plan(stored, known, { ...taken, open: [...taken.open, operation] })
      pending.isOpen = true
      const [outcome] = (await way.client.compareAndSet([plan.change])) as [RowOutcome]
      if (outcome.kind === 'done') {
        stored.row = { row: plan.change.next, base: plan.base }
        return { kind: 'stored' }
      }
      // An earlier try, made from the same row, may still land.
      pending.isOpen = wasOpen
      if (outcome.kind === 'rejected') return { kind: 'rejected', error: outcome.error }
      // The row is another one by now, so none that was made from it can land any more.
      pending.isOpen = false
      this.#noteRow(stored, outcome)
      return { kind: 'again' }
    } catch (error) {
      stored.row = undefined
      if (isUndone(error)) pending.isOpen = wasOpen
      const failure = asError(error)
      return isBroken(error) || isUnencodable(error)
        ? { kind: 'rejected', error: failure }
        : { kind: 'again', error: failure }
    }
  }

  /** What the store has answered is what a load would bring: it counts from where the request began. */
  #keep({ stored, begin }: Pending): void {
    const { keys, keeper } = this.#options
    if (stored.row === undefined || !keys.gather(stored)) return
    const { rules } = stored.keyspace.source as Source
    try {
      const taken = keys.taken(stored, stored.row.base)
      const { value } = keys.fold(stored, taken)
      const tags = value === undefined ? [] : (rules.tags?.(stored.key, value) ?? [])
      const kept = value === undefined ? undefined : normalForm(detached(value))
      if (keeper.keep(stored.key, { value: kept, begin, rules, tags })) keys.commit(stored, taken)
    } catch {
      // Users' code that names its tags, say: who reads the key is told, by the load.
      keeper.drop(stored.key)
    }
  }

  #noteRow(stored: StoredKey, outcome: { readonly row?: StoreRow | undefined }): void {
    stored.row =
      'row' in outcome ? { row: outcome.row, base: this.#options.keys.baseOf(stored, outcome.row) } : undefined
  }

  async #rowOf({ stored, way }: Pending): Promise<KnownRow> {
    if (stored.row !== undefined) return stored.row
    const row = await way.client.read(stored.key)
    return (stored.row = { row, base: this.#options.keys.baseOf(stored, row) })
  }

  /** Nothing of an earlier try can land behind it. */
  async #fence(pending: Pending): Promise<'fenced' | 'stored' | 'unknown'> {
    const { stored, way, operation } = pending
    const { env, store } = this.#options
    try {
      stored.row = undefined
      const known = await this.#rowOf(pending)
      if (holds(known, operation)) return 'stored'
      const { row, base } = known
      const meta = row?.meta ?? encodeMeta({ ...base, digest: valueDigest(undefined) }, store.table)
      const next: StoreRow = { value: row?.value, meta, token: env.random(TOKEN_BYTES) }
      const [outcome] = (await way.client.compareAndSet([{ key: stored.key, expected: row, next }])) as [RowOutcome]
      stored.row = outcome.kind === 'done' ? { row: next, base } : undefined
      if (outcome.kind !== 'done') return 'unknown'
      pending.isOpen = false
      return 'fenced'
    } catch {
      stored.row = undefined
      return 'unknown'
    }
  }

  /** Nobody waits any more. The write enters if it is in the store; otherwise it never will be. */
  async #decide(pending: Pending): Promise<void> {
    let delayMs = AGAIN_MS
    const { write, stored } = pending
    try {
      while (!this.#isClosed) {
        const fenced = await this.#fence(pending)
        if (fenced === 'stored') await this.#enter(write, pending)
        if (fenced !== 'unknown') break
        await pause(this.#options.env, delayMs, undefined)
        delayMs = Math.min(AGAIN_MS_MAX, delayMs * 2)
      }
    } catch (error) {
      // It is in the store, and cannot be written here: the row tells whoever loads it.
      this.#options.observe({
        kind: 'primary:rejected',
        key: stored.key,
        dots: [],
        store: pending.way.client.store.name,
        error: asError(error),
      })
    } finally {
      this.pendingCount--
      stored.release()
    }
  }

  /** The same for who waits: what cannot be written here is in the store all the same. */
  async #note<Result>(write: ThroughWrite<Result>, pending: Pending): Promise<Result> {
    try {
      return await this.#enter(write, pending)
    } catch (error) {
      throw notNoted(pending, error)
    }
  }

  /** The store has it: from now on it is an operation. */
  #enter<Result>(write: ThroughWrite<Result>, { stored, operation }: Pending): Promise<Result> {
    const [rowName] = operation.others as readonly [Dot]
    stored.stored.raise(rowName.replica, rowName.sequence)
    this.#options.tell(stored)
    return write.enter({ hlc: operation.hlc, fields: { rowName } })
  }
}

function holds({ base }: KnownRow, operation: OpenOperation): boolean {
  return isIn(base.vector, operation)
}

/** Nothing of the request was done. */
function isUndone(error: unknown): boolean {
  return isWarpError(error) && error.outcome === 'failed'
}

function isUnencodable(error: unknown): boolean {
  return isWarpError(error, 'WARP_E_UNENCODABLE')
}

/** The row holds it, and the log did not take it: nothing takes it back, and nobody else is told. */
function notNoted({ write: { key }, way }: Pending, cause: unknown): WarpError {
  const store = way.client.store.name
  const code = isWarpError(cause) ? cause.code : 'WARP_E_STORE'
  return new WarpError(
    code,
    `'${key}' was written through to ${store}, and could not be written to the log here: ${asError(cause).message}; ` +
      'copies elsewhere are what they were until they are loaded again: invalidate the key',
    { details: { key, store }, outcome: 'indeterminate', cause },
  )
}

function abortedWrite(key: string, store: string, signal: AbortSignal, outcome: 'failed' | 'indeterminate'): WarpError {
  return new WarpError('WARP_E_ABORTED', `writing '${key}' through to ${store} was given up`, {
    ...{ details: { key, store }, outcome },
    cause: signal.reason,
  })
}

function refusedBy(
  { write: { key, signal }, way, isOpen }: Pending,
  tried: Exclude<Tried, { kind: 'stored' }>,
): WarpError {
  const store = way.client.store.name
  const outcome = isOpen ? 'indeterminate' : 'failed'
  const { error } = tried
  if (tried.kind === 'rejected' && isUnencodable(error)) return error as WarpError
  if (signal?.aborted === true) return abortedWrite(key, store, signal, outcome)
  const failure = tried.kind === 'rejected' ? 'rejected' : 'transient'
  const what = error === undefined ? 'others write the row all the time' : error.message
  const state = isOpen
    ? 'it may be in the store; as soon as the store answers it becomes visible, or never will be'
    : 'nothing was written'
  return new WarpError('WARP_E_STORE', `'${key}' was not written through to ${store}: ${what}; ${state}`, {
    ...{ details: { key, store, failure }, outcome },
    cause: error,
  })
}
