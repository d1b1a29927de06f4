/**
 * Reading through: who wants a key whose copy may not be served waits for one load of it, in bounds.
 *
 * A load counts from where it began. Who comes after an invalidation does not join a load that began
 * before it. Who came before is given its answer, which is not kept.
 */
import { normalForm } from '../../crdt/encoding/normal-form.ts'
import { refusalOf } from '../../crdt/encoding/encoding-refusal.ts'
import { copyLoose, detached } from '../../crdt/encoding/shared-value.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { LOADS_MAX } from '../limits.ts'
import { NOT_MODIFIED, type CopyRules } from '../keys/source/source.ts'
import { whenAborted } from '../ports/abort-signals.ts'
import type { Env, Timer } from '../ports/env.ts'
import { INSTRUMENTS } from '../ports/instrument-catalogue.ts'
import type { Recorder } from '../ports/recorder.ts'
import type { EngineEvent } from '../store/event.ts'
import { begun, Flight, type Landing } from './flight.ts'
import type { Invalidations } from './invalidations.ts'
import { MISS, type Keeper } from './keeper.ts'
import { Answer, checkTags, contextOf, type LoadRequest } from './load-request.ts'

export interface LoadsOptions {
  readonly env: Env
  readonly keeper: Keeper
  readonly invalidations: Invalidations
  readonly observe: (event: EngineEvent) => void
  readonly recorder: Recorder | undefined
}

/** What a reader has waited for. */
type Waited = Landing | { readonly kind: 'slow' }

const SLOW: Waited = { kind: 'slow' }
const SEEN_NOTHING = new VersionVector()

/** Who brings the value of a flight, if that need not be done here. */
export interface LoadsElsewhere {
  load(
    flight: Flight,
    request: LoadRequest,
    how: { readonly here: () => Promise<unknown>; readonly need: VersionVector | undefined },
  ): Promise<unknown>
}

export class Loads {
  readonly #options: LoadsOptions
  readonly #flights = new Map<string, Flight>()
  /** Those that nobody may join any more, and that have not landed. */
  readonly #outdated = new Set<Flight>()
  loadsCount = 0
  failuresCount = 0
  staleCount = 0
  isClosed = false
  /** Where one replica loads for others. */
  cluster: LoadsElsewhere | undefined

  constructor(options: LoadsOptions) {
    this.#options = options
  }

  get isFull(): boolean {
    return this.flightsCount >= LOADS_MAX
  }

  get flightsCount(): number {
    return this.#flights.size + this.#outdated.size
  }

  /**
   * The value: a stale copy where the source fails or is slow and the rules say so. `begunFor`: a
   * load that has been begun for this reader.
   */
  async read(request: LoadRequest, begunFor?: Flight): Promise<unknown> {
    assertWanted(request)
    for (let own = begunFor; ; own = undefined) {
      const stale = this.#stale(request.key)
      if (stale !== MISS && this.#isTriedLater(request.key, own)) return this.#served(stale)
      // Before the loader runs, which may itself say that its key is out of date.
      const joinedAt = own?.begin ?? this.#options.invalidations.count
      const flight = own ?? this.joinable(request.key) ?? this.begin(request)
      const waited = await this.#wait(flight, request, stale !== MISS)
      if (waited.kind === 'loaded') {
        if (isFor(flight, joinedAt)) return copyLoose(waited.value)
      } else if (!flight.isWrite) return this.#otherwise(waited, flight, request)
    }
  }

  /** No load is begun now: one has just failed, or too many are under way. */
  #isTriedLater(key: string, own: Flight | undefined): boolean {
    if (this.#isThrottled(key)) return true
    return own === undefined && this.joinable(key) === undefined && this.isFull
  }

  /** What there is to give where the load has failed, or is slow. */
  async #otherwise(waited: Waited, flight: Flight, request: LoadRequest): Promise<unknown> {
    const served = this.#stale(request.key)
    if (served !== MISS) return this.#served(served)
    if (waited.kind === 'failed') throw waited.error
    // What could have been served has been made void meanwhile.
    return this.#last(await this.#wait(flight, request, false))
  }

  /** Begins a load that nobody waits for, unless one is under way. */
  refresh(request: LoadRequest): void {
    if (this.isClosed || this.joinable(request.key) !== undefined || this.isFull) return
    this.begin(request, SEEN_NOTHING).isBackground = true
  }

  /** The load of a key that may be joined now. */
  joinable(key: string): Flight | undefined {
    return this.#flights.get(key)
  }

  /**
   * Begins a load, here or by another replica. There must be none to join. `need`: it is to be here,
   * and counts as having seen this. Throws `WARP_E_LIMIT`.
   */
  begin(request: LoadRequest, need?: VersionVector): Flight {
    const flight = this.announce(request)
    const former = this.#options.keeper.former(request.key)
    const here = async (): Promise<unknown> => {
      const loaded = await begun(() => request.load(contextOf(flight, former)))
      return this.finish(flight, request, loaded)
    }
    const { cluster } = this
    const work = (): Promise<unknown> =>
      cluster === undefined ? here() : cluster.load(flight, request, { here, need })
    flight.begins(flight.span === undefined ? work() : flight.span.within(work))
    return flight
  }

  /** The same, for a load that somebody else carries out. Throws `WARP_E_LIMIT`. */
  announce({ key, rules }: Pick<LoadRequest, 'key' | 'rules'>): Flight {
    if (this.isFull) throw tooManyLoads(key)
    const { env, invalidations, recorder } = this.#options
    const flight = new Flight({ key, begin: invalidations.count, rules, env })
    this.#flights.set(key, flight)
    this.loadsCount++
    flight.span = recorder?.beginAround(INSTRUMENTS.load)
    void flight.landed.then((landing) => {
      this.#landed(flight, landing)
      flight.span?.end({ outcome: landing.kind === 'loaded' ? 'done' : 'failed' })
    })
    return flight
  }

  /**
   * A write to the store is under way whose answer is one of a load, too. `undefined`: a load is under
   * way.
   */
  occupy(key: string, rules: CopyRules): Flight | undefined {
    if (this.joinable(key) !== undefined) return undefined
    const { env, invalidations } = this.#options
    const flight = new Flight({ key, begin: invalidations.count, rules, env })
    flight.isWrite = true
    if (!this.isClosed) this.#flights.set(key, flight)
    void flight.landed.then(() => this.#over(flight))
    return flight
  }

  /**
   * The loader has answered: the value, as many may share it, once it has been kept if it may be.
   * Throws what makes the answer useless.
   */
  finish(flight: Flight, request: Pick<LoadRequest, 'key' | 'rules' | 'tags'>, loaded: unknown): unknown {
    const { keeper } = this.#options
    const { key, rules } = request
    const answer = loaded instanceof Answer ? loaded : undefined
    const value = this.#valueOf(key, answer === undefined ? loaded : answer.value())
    const tags = [...request.tags, ...flight.tags, ...(value === undefined ? [] : this.#tagsOf(key, rules, value))]
    if (!flight.isOver && !flight.isVoid) {
      const { begin, ttlMs: lifeMs, endsThen } = flight
      flight.isVoid = !keeper.keep(key, { value, begin, rules, tags, lifeMs, endsThen })
      if (flight.isVoid) this.#leave(flight)
      else answer?.kept()
    }
    if (flight.isOver || flight.isVoid) answer?.dropped()
    return value
  }

  #valueOf(key: string, loaded: unknown): unknown {
    if (loaded === NOT_MODIFIED) return this.#formerOf(key)
    return loaded === undefined ? undefined : ownCopy(loaded)
  }

  /** Loads that began before what has entered just now: nobody joins them any more, and nothing is kept. */
  voids(isAbout: (key: string) => boolean): void {
    for (const flight of [...this.#flights.values()]) if (isAbout(flight.key)) this.voidsKey(flight.key)
  }

  voidsKey(key: string): void {
    const flight = this.#flights.get(key)
    if (flight === undefined) return
    flight.isVoid = true
    this.#leave(flight)
  }

  close(error: WarpError): void {
    this.isClosed = true
    for (const flight of [...this.#flights.values(), ...this.#outdated]) flight.giveUp(error)
  }

  /** Nobody joins it any more; those who wait go on waiting. */
  #leave(flight: Flight): void {
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key)
    if (!flight.isOver) this.#outdated.add(flight)
  }

  #over(flight: Flight): void {
    this.#outdated.delete(flight)
    if (this.#flights.get(flight.key) === flight) this.#flights.delete(flight.key)
  }

  #landed(flight: Flight, landing: Landing): void {
    this.#over(flight)
    if (landing.kind !== 'failed' || this.isClosed) return
    this.failuresCount++
    this.#options.keeper.throttle(flight.key, flight.rules)
    const { key, isBackground } = flight
    this.#options.observe({ kind: 'load:failed', key, error: landing.error, isBackground })
  }

  /** The copy that a loader has found unchanged, now as old as this load. */
  #formerOf(key: string): unknown {
    const former = this.#options.keeper.former(key)
    if (former !== undefined) return former
    throw new WarpError(
      'WARP_E_CONFIG',
      `its loader said notModified, and there is no value in memory that could be meant; look at context.stale first`,
      { details: { key } },
    )
  }

  #tagsOf(key: string, { tags }: LoadRequest['rules'], value: unknown): readonly string[] {
    if (tags === undefined) return []
    const named: unknown = tags(key, value)
    checkTags(`tags of the key pattern`, named)
    return named
  }

  #stale(key: string): unknown {
    const { keeper } = this.#options
    const slot = keeper.copies.find(key)
    return slot === undefined ? MISS : keeper.stale(slot)
  }

  #isThrottled(key: string): boolean {
    const { keeper } = this.#options
    const slot = keeper.copies.find(key)
    return slot !== undefined && keeper.isThrottled(slot)
  }

  #served(value: unknown): unknown {
    this.staleCount++
    return value
  }

  #last(waited: Waited): unknown {
    if (waited.kind === 'loaded') return copyLoose(waited.value)
    throw waited.kind === 'failed' ? waited.error : new Error('a wait without a soft bound was slow')
  }

  /** How the load ends, or `SLOW` once a reader who could have a stale value has waited enough. */
  #wait(flight: Flight, { key, rules, signal }: LoadRequest, hasStale: boolean): Promise<Waited> {
    flight.stayAlive()
    const softMs = hasStale ? rules.softTimeoutMs : Infinity
    const hardMs = rules === flight.rules ? Infinity : rules.hardTimeoutMs
    if (softMs === Infinity && hardMs === Infinity && signal === undefined) return flight.landed
    const { env } = this.#options
    return new Promise((resolve, reject) => {
      const timers: Timer[] = []
      const end = (): void => {
        for (const timer of timers) timer.cancel()
        stop()
      }
      const stop = whenAborted(signal, () => {
        end()
        reject(aborted({ key, signal }))
      })
      if (softMs < Infinity)
        timers.push(
          env.schedule(softMs, () => {
            end()
            resolve(SLOW)
          }),
        )
      if (hardMs < Infinity)
        timers.push(
          env.schedule(hardMs, () => {
            end()
            resolve({ kind: 'failed', error: waitedTooLong(key, hardMs) })
          }),
        )
      void flight.landed.then((landing) => {
        end()
        resolve(landing)
      })
    })
  }
}

/**
 * A copy that many may share, of what stays the loader's own. Throws `WARP_E_UNENCODABLE` for what
 * could not be written either: nobody knows how to copy an instance of a class.
 */
function ownCopy(value: unknown): unknown {
  try {
    return normalForm(detached(value))
  } catch (error) {
    // The stack is full.
    throw error instanceof RangeError ? refusalOf(value) : error
  }
}

/** Unless an invalidation came between the beginning of the load and this reader. */
function isFor(flight: Flight, joinedAt: number): boolean {
  return !flight.isVoid || joinedAt <= flight.begin
}

function waitedTooLong(key: string, timeoutMs: number): WarpError {
  return new WarpError(
    'WARP_E_LOAD_TIMEOUT',
    `'${key}' has not been loaded within ${timeoutMs} ms; the load goes on; raise hardTimeoutMs, or look at the source`,
    { details: { key, timeoutMs } },
  )
}

function tooManyLoads(key: string): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `'${key}' is not loaded: ${LOADS_MAX} loads are under way, the most there may be; the source is slower than ` +
      'those who ask; try again later, or lower hardTimeoutMs',
    { details: { key, limit: LOADS_MAX } },
  )
}

function assertWanted({ key, signal }: LoadRequest): void {
  if (signal?.aborted !== true) return
  throw new WarpError('WARP_E_ABORTED', `reading '${key}' was given up before it began`, {
    details: { key },
    cause: signal.reason,
  })
}

function aborted({ key, signal }: Pick<LoadRequest, 'key' | 'signal'>): WarpError {
  return new WarpError('WARP_E_ABORTED', `waiting for '${key}' was given up; its load goes on`, {
    details: { key },
    cause: signal?.reason,
  })
}
