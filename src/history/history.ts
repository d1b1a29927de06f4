/**
 * The past of a key, straight from its chain in the log: the audit trail, the value at a moment,
 * and the reasons for the value now. Nothing is kept for it in memory. Cost: the whole retained log
 * of the one key for `getAt` and `explain`, in steps between which other work proceeds; compaction
 * waits meanwhile.
 */
import { checkOptions, checkTypeOf, isWholeFrom } from '../../crdt/checked-options.ts'
import { hlcAtEndOfMs, hlcToMs } from '../../crdt/time/hlc.ts'
import { shownKind, shownValue } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Placed } from '../merge/placed.ts'
import type { Resident } from '../merge/resident.ts'
import { explainSteps } from './explain-steps.ts'
import { EXPLAIN_OPTIONS, LOG_OPTIONS } from './explanation.ts'
import type { At, ExplainOptions, Explanation, LogOptions } from './explanation.ts'
import type { OperationRecord } from '../store/kept-operation.ts'
import { Budget, type Meter } from '../operation/budget.ts'
import type { Position } from '../operation/position.ts'
import { shared } from '../../crdt/encoding/shared-value.ts'
import { compactedAway, keepOperation } from '../store/kept-operation.ts'
import { readInSteps, readSteadily, type Reading, type Steady } from '../store/read-steadily.ts'

export class History {
  readonly #store: KeyStore

  constructor(store: KeyStore) {
    this.#store = store
  }

  async *log(key: string, options: LogOptions = {}): AsyncGenerator<OperationRecord, void, undefined> {
    checkOptions('log', options, LOG_OPTIONS)
    checkTypeOf('log', options, 'newestFirst', 'boolean')
    const { fromVersion = 1, newestFirst = false, signal } = options
    if (!isWholeFrom(fromVersion, 0))
      throw new WarpError('WARP_E_CONFIG', `log: fromVersion is ${shownValue(fromVersion)}; give a whole number`)
    const turn = this.#store.turns.next()
    if (turn !== undefined) await turn
    const slot = this.#store.keys.find(key)
    if (slot === undefined) return
    const check = (): void => this.#check(signal)
    const budget = new Budget(this.#store.env, check)
    for await (const { version, position } of newestFirst
      ? this.#backwards(slot, fromVersion)
      : this.#forwards({ slot, check, name: `log of '${key}'` }, fromVersion)) {
      check()
      const operation = keepOperation(this.#store, key, version, position)
      yield operation
      budget.spend(1, 0)
      if (budget.isSpent) await budget.pause()
    }
  }

  async getAt(key: string, at: At, signal?: AbortSignal): Promise<unknown> {
    checkMoment(at)
    const slot = this.#store.keys.find(key)
    if (slot === undefined) {
      if ('version' in at && at.version > 0) throw noSuchVersion(key, at.version, 0)
      return this.#store.turns.settled(undefined)
    }
    const reading = { slot, name: `getAt of '${key}'`, check: () => this.#check(signal) }
    const resident = await readSteadily(this.#store, reading, (steady, meter) =>
      'version' in at
        ? this.#atVersion({ ...steady, key, slot }, at.version, meter)
        : this.#atTime({ ...steady, key, slot }, at.timeMs, meter),
    )
    return this.#store.turns.settled(
      resident?.present === true ? shared(this.#store.strategyAt(slot).read(resident.state)) : undefined,
    )
  }

  async explain(key: string, options: ExplainOptions = {}): Promise<Explanation> {
    checkOptions('explain', options, EXPLAIN_OPTIONS)
    const { limit = 1 } = options
    if (limit !== Infinity && !isWholeFrom(limit, 1))
      throw new WarpError('WARP_E_CONFIG', `explain: limit is ${shownValue(limit)}; give a whole number of at least 1`)
    const keyspace = this.#store.keyspaceOf(key)
    const slot = this.#store.keys.find(key)
    const unwritten = { key, value: undefined, strategy: keyspace.strategy.kind, operations: [] }
    if (slot === undefined) return this.#store.turns.settled(unwritten)
    const reading = { slot, name: `explain of '${key}'`, check: () => this.#check(options.signal) }
    const explained = await readSteadily(this.#store, reading, (steady, meter) =>
      explainSteps(this.#store, { ...steady, key, slot }, options, meter),
    )
    if (explained === undefined) return unwritten
    const value = await readInSteps(this.#store, slot, reading.check)
    return this.#store.turns.settled({ ...explained, value })
  }

  /** Throws what gives the reading up. */
  #check(signal: AbortSignal | undefined): void {
    this.#store.assertOpen()
    if (signal?.aborted !== true) return
    throw new WarpError('WARP_E_ABORTED', 'reading the past of a key was given up', { cause: signal.reason })
  }

  /** Follows the chain as the operations are asked for. */
  *#backwards(slot: Slot, fromVersion: number): Generator<Versioned> {
    const { keys, folder } = this.#store
    let position = keys.head[slot]!
    for (let version = keys.version[slot]!; version >= fromVersion && position > keys.cut[slot]!; version--) {
      const { previous } = folder.chains.record(position)
      yield { version, position }
      position = previous
    }
  }

  async *#forwards(reading: Reading, fromVersion: number): AsyncGenerator<Versioned> {
    const found = await readSteadily(this.#store, reading, (steady, meter) =>
      this.#positions(steady, fromVersion, meter),
    )
    for (let i = (found?.positions.length ?? 0) - 1; i >= 0; i--) {
      const { positions, version } = found as Found
      yield { version: version - i, position: positions[i] as Position }
    }
  }

  /** Newest first. */
  *#positions({ chain, version }: Steady, fromVersion: number, meter: Meter): Generator<void, Found> {
    const count = Math.max(0, version - fromVersion + 1)
    const positions = yield* this.#store.folder.chains.positionsSteps(chain, { after: chain.cut, count }, meter)
    return { positions, version }
  }

  *#atVersion(steady: SteadyKey, version: number, meter: Meter): Generator<void, Resident> {
    const { key, version: current } = steady
    const operations = yield* this.#store.folder.chains.operationsSteps(steady.chain, meter)
    const count = version - (current - operations.length)
    if (!isWholeFrom(version, 0, current)) throw noSuchVersion(key, version, current)
    if (count < 0) throw compactedAway(key)
    return yield* this.#foldSteps(steady, operations.slice(0, count), meter)
  }

  *#atTime(steady: SteadyKey, timeMs: number, meter: Meter): Generator<void, Resident | undefined> {
    const { key, slot, chain } = steady
    const { chains } = this.#store.folder
    const end = hlcAtEndOfMs(timeMs)
    if (chain.snapshot > 0 && chains.head(chains.record(chain.snapshot)).hlc > end) throw compactedAway(key)
    const operations = yield* chains.operationsSteps(chain, meter)
    const resident = yield* this.#foldSteps(
      steady,
      operations.filter(({ hlc }) => hlc <= end),
      meter,
    )
    const lifeMs = resident.lifeMs || this.#store.keyspaceFor(key, slot).lifeMs
    const isExpired = lifeMs > 0 && resident.hasTip && hlcToMs(resident.hlc) + lifeMs <= timeMs
    return isExpired ? undefined : resident
  }

  *#foldSteps({ slot, chain }: SteadyKey, operations: readonly Placed[], meter: Meter): Generator<void, Resident> {
    const strategy = this.#store.strategyAt(slot)
    const resident = yield* this.#store.folder.whole.foldSteps({ strategy, chain, operations }, meter)
    if (resident.present && strategy.readSteps !== undefined) yield* strategy.readSteps(resident.state)
    return resident
  }
}

/** A key as it was when somebody began to read its past. */
interface SteadyKey extends Steady {
  readonly key: string
  readonly slot: Slot
}

/** An operation, and the version that it made. */
interface Versioned {
  readonly version: number
  readonly position: Position
}

interface Found {
  readonly positions: readonly Position[]
  /** That the first of them made. */
  readonly version: number
}

function noSuchVersion(key: string, version: number, current: number): WarpError {
  return new WarpError(
    'WARP_E_HISTORY',
    `'${key}' has no version ${version}; versions count from 1, the newest is ${current}`,
    {
      details: { key, version, current },
    },
  )
}

function checkMoment(at: unknown): void {
  const names = typeof at === 'object' && at !== null ? Object.keys(at) : []
  if (names.length === 1 && names[0] === 'version') {
    checkVersion((at as { readonly version: unknown }).version)
    return
  }
  if (names.length === 1 && names[0] === 'timeMs') {
    checkTime((at as { readonly timeMs: unknown }).timeMs)
    return
  }
  const shown = names.length === 0 ? shownKind(at) : `{ ${names.join(', ')} }`
  throw new WarpError('WARP_E_CONFIG', `getAt: the moment is ${shown}; give either { timeMs } or { version }`)
}

function checkVersion(version: unknown): void {
  if (typeof version === 'number') return
  throw new WarpError('WARP_E_CONFIG', `getAt: version is ${shownKind(version)}; give a whole number of at least 0`)
}

function checkTime(timeMs: unknown): void {
  if (Number.isFinite(timeMs)) return
  throw new WarpError('WARP_E_CONFIG', `getAt: timeMs is ${shownValue(timeMs)}; give milliseconds since 1970`)
}
