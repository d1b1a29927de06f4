/** The options of `openWarp`, checked before anything is opened. */
import { checkOptions, optionNames } from '../../crdt/checked-options.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { ResidencyLimits } from '../cache/residency.ts'
import type { KeyMap } from '../keys/typed-keys.ts'
import { assertName } from '../membership/name-book.ts'
import type { CacheOptions, WarpOptions } from './public.ts'

const CLOCK_DRIFT_MS_MAX = 500

const WARP_OPTIONS = optionNames<WarpOptions<KeyMap>>({
  keys: true,
  name: true,
  zone: true,
  log: true,
  transports: true,
  env: true,
  cache: true,
  replication: true,
  ack: true,
  clockDriftMsMax: true,
  observe: true,
  instruments: true,
})
const CACHE_OPTIONS = optionNames<CacheOptions>({ entriesMax: true, bytesMax: true })

export interface CheckedOptions {
  readonly cache: ResidencyLimits
  readonly clockDriftMsMax: number
}

/** Throws `WARP_E_CONFIG`, naming the option, its value and the remedy. */
export function checkOpenOptions(options: WarpOptions<KeyMap>): CheckedOptions {
  checkOptions('openWarp', options, WARP_OPTIONS)
  assertName('name', options.name)
  assertName('zone', options.zone)
  const { clockDriftMsMax = CLOCK_DRIFT_MS_MAX } = options
  if (!(clockDriftMsMax >= 0))
    throw new WarpError('WARP_E_CONFIG', `clockDriftMsMax is ${clockDriftMsMax}; give milliseconds of at least 0`)
  return { cache: cacheLimits(options.cache), clockDriftMsMax }
}

function cacheLimits(options: CacheOptions = {}): ResidencyLimits {
  checkOptions('openWarp: cache', options, CACHE_OPTIONS)
  const { entriesMax = Number.POSITIVE_INFINITY, bytesMax = Number.POSITIVE_INFINITY } = options
  for (const [name, value] of Object.entries({ entriesMax, bytesMax })) {
    if (!(value >= 1)) throw new WarpError('WARP_E_CONFIG', `cache.${name} is ${value}; give a number of at least 1`)
  }
  return { entriesMax, bytesMax }
}
