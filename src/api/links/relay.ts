/**
 * A relay: a replica that sits in several regions, on the transports of each. `relay()` says where
 * to; `openWarp({ region, transports, relays })` makes one of them.
 */
import { optionNames, refusedOption, requireOptions } from '../../../crdt/checked-options.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { REGIONS_PER_RELAY_MAX } from '../../limits.ts'
import { assertName } from '../../membership/name-book.ts'
import { checkTransports } from '../../ports/checked-transports.ts'
import type { Transport } from '../../ports/transport.ts'
import type { RegionPlan, RelayEnd } from '../../replication/regions/region-plan.ts'

export interface RelayOptions {
  /** The region of the replica that relays: its `region`. */
  readonly from: string
  /** Another region, and how to reach its replicas. */
  readonly to: RelayEnd
}

/** What `relay()` makes and `openWarp({ relays })` takes. */
export interface Relay {
  readonly kind: 'relay'
  readonly from: string
  readonly to: RelayEnd
}

const RELAY_OPTIONS = optionNames<RelayOptions>({ from: true, to: true })
const END_OPTIONS = optionNames<RelayEnd>({ region: true, transports: true })
const EXAMPLE = "{ from: 'eu', to: { region: 'us', transports: [natsTransport(...)] } }"

/**
 * Says that a replica of the region `from` relays to the region `to`, both ways. Throws
 * `WARP_E_CONFIG`.
 *
 *     const warp = await openWarp({
 *       region: 'eu',
 *       transports: [natsTransport({ servers: 'nats.eu:4222' })],
 *       relays: [relay({ from: 'eu', to: { region: 'us', transports: [redisTransport({ url })] } })],
 *       keys,
 *     })
 */
export function relay(options: RelayOptions): Relay {
  requireOptions('relay', options, RELAY_OPTIONS, EXAMPLE)
  const { from, to } = options
  requireOptions('relay: to', to, END_OPTIONS, "{ region: 'us', transports: [natsTransport(...)] }")
  const { region, transports } = to
  for (const [option, name] of [
    ['from', from],
    ['to.region', region],
  ] as const) {
    if (name === undefined) throw refusedOption('relay', option, name, `give the name of a region: ${EXAMPLE}`)
    assertName('region', name)
  }
  checkTransports('relay', 'to.transports', transports)
  if (transports === undefined || transports.length === 0)
    throw refusedOption('relay', 'to.transports', transports, 'give at least one transport of that region')
  if (from === region)
    throw new WarpError(
      'WARP_E_CONFIG',
      `relay: from and to.region are both ${JSON.stringify(from)}; give two regions, each with a name of its own`,
    )
  return Object.freeze({ kind: 'relay', from, to: Object.freeze({ region, transports: [...transports] }) })
}

export interface RegionOptions {
  readonly region?: string
  readonly transports?: readonly Transport[]
  readonly relays?: readonly Relay[]
}

/** Where a replica with these options sits. Throws `WARP_E_CONFIG`. */
export function regionPlan({ region = '', transports = [], relays = [] }: RegionOptions): RegionPlan {
  const given: unknown = relays
  if (!Array.isArray(given)) throw refusedOption('openWarp', 'relays', given, 'give a list of relays')
  const named = new Set([region])
  for (const [i, one] of relays.entries()) {
    checkRelay(`relays[${i}]`, one, region)
    if (named.has(one.to.region)) throw conflict(`relays[${i}] is to ${shown(one.to.region)}, to which another one is`)
    named.add(one.to.region)
  }
  if (relays.length > 0 && transports.length === 0)
    throw conflict('there are relays and no transports', 'give the transports of its own region')
  if (named.size > REGIONS_PER_RELAY_MAX)
    throw conflict(`${named.size} regions exceed the ${REGIONS_PER_RELAY_MAX} of one replica`, 'use several replicas')
  return { region, ends: [{ region, transports }, ...relays.map(({ to }) => to)] }
}

function checkRelay(option: string, one: Partial<Relay> | undefined, region: string): void {
  if (one?.kind !== 'relay') throw refusedOption('openWarp', option, one, `give relay(${EXAMPLE})`)
  if (one.from !== region) throw conflict(`${option} is from ${shown(one.from ?? '')}, and region is ${shown(region)}`)
}

function conflict(what: string, remedy = 'give each region once, and relays from the one of this replica'): WarpError {
  return new WarpError('WARP_E_CONFIG', `openWarp: ${what}; ${remedy}`)
}

function shown(region: string): string {
  return region === '' ? 'not given' : JSON.stringify(region)
}
