/**
 * Many keys at once: those that are in memory are there, those that are being loaded are waited for,
 * and the rest is loaded by one call of a loader that takes many.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import { shownKind, shownValue } from '../../crdt/shown-kind.ts'
import type { CopyRules, Load, LoadContext, LoadedMany, LoadMany, LoadManyContext } from '../keys/source/source.ts'
import type { Turns } from '../operation/turns.ts'
import type { Env } from '../ports/env.ts'
import { begun, Flight, type Landing } from './flight.ts'
import { MISS } from './keeper.ts'
import { checkedLoadedLife, checkTags, type LoadRequest } from './load-request.ts'
import type { Loads } from './loads.ts'

/** Keys that one call of a loader is given. */
export const BATCH_KEYS_MAX = 1000
/** Keys that are loaded one by one at a time, where no loader takes many. */
const SINGLES_MAX = 16

/** How a key is to be loaded. One of both loaders, or none: then what is not in memory is left out. */
export interface Wish {
  readonly rules: CopyRules
  readonly tags: readonly string[]
  readonly signal: AbortSignal | undefined
  readonly loadMany: LoadMany | undefined
  readonly load: Load | undefined
}

export interface Batches {
  readonly keys: Iterable<string>
  readonly wish: (key: string) => Wish
  readonly hit: (key: string) => unknown
  readonly loads: Loads
  readonly turns: Turns
}

interface Missing {
  readonly key: string
  readonly wish: Wish
}

/** Values by key, in the order of the keys; those without a value are left out. */
export async function loadBatches({ keys, wish, hit, loads, turns }: Batches): Promise<Map<string, unknown>> {
  const values = new Map<string, unknown>()
  const missing: Missing[] = []
  for (const key of keys) {
    const value = hit(key)
    // The order is that of the keys.
    values.set(key, value === MISS ? undefined : value)
    if (value === MISS) missing.push({ key, wish: wish(key) })
    const turn = turns.next()
    if (turn !== undefined) await turn
  }
  const many = new Map<LoadMany, Missing[]>()
  const singles: Missing[] = []
  for (const one of missing) {
    const { loadMany, load } = one.wish
    if (loadMany !== undefined) {
      const ofOne = many.get(loadMany)
      if (ofOne === undefined) many.set(loadMany, [one])
      else ofOne.push(one)
    } else if (load !== undefined) singles.push(one)
  }
  const waits = [...many].flatMap(([load, ofOne]) =>
    batchesOf(ofOne).map((batch) => readBatch(batch, load, loads, values)),
  )
  await Promise.all([...waits, readSingles(singles, loads, values)])
  for (const [key, value] of values) if (value === undefined) values.delete(key)
  return values
}

function batchesOf(missing: readonly Missing[]): Missing[][] {
  const batches: Missing[][] = []
  for (let from = 0; from < missing.length; from += BATCH_KEYS_MAX)
    batches.push(missing.slice(from, from + BATCH_KEYS_MAX))
  return batches
}

async function readBatch(
  batch: readonly Missing[],
  load: LoadMany,
  loads: Loads,
  values: Map<string, unknown>,
): Promise<void> {
  const flights = batch
    .filter(({ key }) => loads.joinable(key) === undefined)
    .map(({ key, wish }) => ({ wish, flight: loads.announce({ key, rules: wish.rules }) }))
  if (flights.length > 0) beginBatch(flights, load, loads)
  const begunFor = new Map(flights.map(({ flight }) => [flight.key, flight]))
  await Promise.all(
    batch.map(async ({ key, wish }) => {
      const request: LoadRequest = {
        key,
        ...wish,
        load: async (context) => valueOf(await load([key], alone(context)), key),
      }
      values.set(key, await loads.read(request, begunFor.get(key)))
    }),
  )
}

/** One call for all that nobody loads yet. A key of which it says nothing has no value. */
function beginBatch(
  flights: readonly { readonly wish: Wish; readonly flight: Flight }[],
  load: LoadMany,
  loads: Loads,
): void {
  const byKey = new Map(flights.map(({ flight }) => [flight.key, flight]))
  const [first] = flights
  const context = contextOf(byKey, (first as (typeof flights)[number]).flight.signal)
  const loading = begun(() => load([...byKey.keys()], context)).then((loaded) => mapOf(loaded, byKey))
  for (const { flight, wish } of flights) {
    flight.begins(loading.then((loaded) => loads.finish(flight, { ...wish, key: flight.key }, loaded.get(flight.key))))
  }
}

function contextOf(byKey: ReadonlyMap<string, Flight>, signal: AbortSignal): LoadManyContext {
  const flightOf = (key: string): Flight => {
    const flight = byKey.get(key)
    if (flight !== undefined) return flight
    throw new WarpError('WARP_E_CONFIG', `the loader speaks of '${key}', which it was not asked for`, {
      details: { key },
    })
  }
  return {
    signal,
    ttlMs(key, ms) {
      flightOf(key).ttlMs = checkedLoadedLife(key, ms)
    },
    tags(key, ...tags) {
      checkTags('context.tags', tags)
      const flight = flightOf(key)
      flight.tags = [...flight.tags, ...tags]
    },
  }
}

/** What a loader of many keys makes, in the time that the rules give. Nothing of it is kept here. */
export function madeBy(
  load: LoadMany,
  keys: readonly string[],
  rules: CopyRules,
  env: Env,
): Promise<ReadonlyMap<string, unknown>> {
  const flights = new Map(keys.map((key) => [key, new Flight({ key, begin: 0, rules, env })]))
  const [first] = flights.values()
  const { signal } = first as Flight
  const loading = begun(() => load(keys, contextOf(flights, signal)))
  for (const flight of flights.values()) flight.begins(loading)
  return Promise.race([loading, (first as Flight).landed.then(failureOf)]).then((loaded) => mapOf(loaded, flights))
}

/** The value comes from the other contestant. */
function failureOf(landing: Landing): Promise<LoadedMany> {
  return landing.kind === 'failed' ? Promise.reject(landing.error) : new Promise(() => undefined)
}

/** For a key whose batch does not count any more: once more, alone. */
function alone(context: LoadContext): LoadManyContext {
  return {
    signal: context.signal,
    ttlMs: (_key, ms) => context.ttlMs(ms),
    tags: (_key, ...tags) => context.tags(...tags),
  }
}

function valueOf(loaded: unknown, key: string): unknown {
  return mapOf(loaded, new Set([key])).get(key)
}

const GIVES = 'return a Map of the keys that have a value, or pairs: [[key, value]]'

/** `asked`: a key of another spelling would look as if the source had no value. */
function mapOf(loaded: unknown, asked: { has(key: string): boolean }): ReadonlyMap<string, unknown> {
  if (typeof loaded !== 'object' || loaded === null || !(Symbol.iterator in loaded))
    throw new WarpError('WARP_E_CONFIG', `a loader of many keys gave ${shownKind(loaded)}; ${GIVES}`)
  const values = new Map<string, unknown>()
  for (const pair of loaded as LoadedMany) {
    if (!Array.isArray(pair))
      throw new WarpError('WARP_E_CONFIG', `a loader of many keys gave a list with ${shownValue(pair)}; ${GIVES}`)
    const [key, value] = pair
    if (!asked.has(key))
      throw new WarpError(
        'WARP_E_CONFIG',
        `a loader of many keys gave a value for ${shownValue(key)}, which it was not asked for; use the keys that it is given`,
      )
    values.set(key, value)
  }
  return values
}

/** So many at a time. */
async function readSingles(singles: readonly Missing[], loads: Loads, values: Map<string, unknown>): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < singles.length) {
      const { key, wish } = singles[next++] as Missing
      const load = wish.load as Load
      values.set(key, await loads.read({ key, ...wish, load: (context) => load(key, context) }))
    }
  }
  await Promise.all(Array.from({ length: Math.min(SINGLES_MAX, singles.length) }, work))
}
