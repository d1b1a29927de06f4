/** The options of `openWarp`, checked before anything is opened. */
import { shownValue } from '../../crdt/shown-kind.ts'
import {
  checkOptions,
  checkTypeOf,
  isNumberFrom,
  isWholeFrom,
  optionNames,
  refusedOption,
  requireOptions,
} from '../../crdt/checked-options.ts'
import { isThenable } from '../../crdt/synchronous.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { ResidencyLimits } from '../cache/residency.ts'
import type { KeyMap } from '../keys/typed-keys.ts'
import { assertName } from '../membership/name-book.ts'
import { weightOf } from '../cache/weight.ts'
import type { CopyLimits } from '../data-layer/copies.ts'
import { checkMethods, checkTransports, isPortOfKind } from '../ports/checked-transports.ts'
import { policyOf } from '../data-layer/policies/policies.ts'
import { COPIES_MAX } from '../limits.ts'
import { regionPlan } from './links/relay.ts'
import type { CacheOptions, CopiesOptions, StrongOptions, WarpEvent, WarpOptions } from './public.ts'

const CLOCK_DRIFT_MS_MAX = 500

const WARP_OPTIONS = optionNames<WarpOptions<KeyMap>>({
  keys: true,
  channels: true,
  name: true,
  zone: true,
  log: true,
  region: true,
  transports: true,
  relays: true,
  env: true,
  cache: true,
  copies: true,
  replication: true,
  order: true,
  strong: true,
  ack: true,
  clockDriftMsMax: true,
  observe: true,
  instruments: true,
})
const COPIES_OPTIONS = optionNames<CopiesOptions>({ entriesMax: true, bytesMax: true, weigh: true, policy: true })
const STRONG_OPTIONS = optionNames<StrongOptions>({ timeoutMs: true, snapshotEvery: true })
const CACHE_OPTIONS = optionNames<CacheOptions>({ entriesMax: true, bytesMax: true })

export interface CheckedOptions {
  readonly cache: ResidencyLimits
  readonly copies: CopyLimits
  readonly clockDriftMsMax: number
  readonly strong: StrongLimits
}

export type StrongLimits = Readonly<Required<StrongOptions>>

/** Throws `WARP_E_CONFIG`, naming the option, its value and the remedy. */
export function checkOpenOptions(options: WarpOptions<KeyMap>): CheckedOptions {
  requireOptions('openWarp', options, WARP_OPTIONS, "{ keys: { 'user:*': register() } }")
  assertName('name', options.name)
  assertName('zone', options.zone)
  assertName('region', options.region)
  checkTypeOf('openWarp', options, 'observe', 'function')
  checkTypeOf('openWarp', options, 'ack', 'string')
  checkTypeOf('openWarp', options, 'clockDriftMsMax', 'number')
  checkLog(options.log)
  checkTransports('openWarp', 'transports', options.transports)
  regionPlan(options)
  checkOrder(options.order)
  const { env, instruments } = options
  const asked = ['now', 'monotonic', 'schedule', 'defer', 'yield', 'random']
  checkMethods('openWarp', 'env', { value: env, methods: asked, remedy: 'give an Env' })
  checkMethods('openWarp', 'instruments', {
    ...{ value: instruments, methods: ['add', 'record', 'begin'] },
    remedy: 'give an object with add, record and begin',
  })
  const { clockDriftMsMax = CLOCK_DRIFT_MS_MAX } = options
  if (!isNumberFrom(clockDriftMsMax, 0))
    throw new WarpError(
      'WARP_E_CONFIG',
      `clockDriftMsMax is ${shownValue(clockDriftMsMax)}; give milliseconds of at least 0`,
    )
  return {
    cache: cacheLimits(options.cache),
    copies: copyLimits(options.copies),
    clockDriftMsMax,
    strong: strongLimits(options.strong),
  }
}

function cacheLimits(options: CacheOptions = {}): ResidencyLimits {
  checkOptions('openWarp: cache', options, CACHE_OPTIONS)
  checkTypeOf('openWarp: cache', options, 'entriesMax', 'number')
  checkTypeOf('openWarp: cache', options, 'bytesMax', 'number')
  const { entriesMax = Number.POSITIVE_INFINITY, bytesMax = Number.POSITIVE_INFINITY } = options
  for (const [name, value] of Object.entries({ entriesMax, bytesMax })) {
    if (!isNumberFrom(value, 1))
      throw new WarpError('WARP_E_CONFIG', `cache.${name} is ${shownValue(value)}; give a number of at least 1`)
  }
  return { entriesMax, bytesMax }
}

const STRONG_TIMEOUT_MS = 10_000
const STRONG_TIMEOUT_MS_MAX = 300_000

const SNAPSHOT_EVERY = 10_000
const SNAPSHOT_EVERY_MAX = 1_000_000

function strongLimits(options: StrongOptions = {}): StrongLimits {
  checkOptions('openWarp: strong', options, STRONG_OPTIONS)
  const { timeoutMs = STRONG_TIMEOUT_MS, snapshotEvery = SNAPSHOT_EVERY } = options
  if (!isNumberFrom(timeoutMs, 1, STRONG_TIMEOUT_MS_MAX))
    throw new WarpError(
      'WARP_E_CONFIG',
      `strong.timeoutMs is ${shownValue(timeoutMs)}; give milliseconds from 1 to ${STRONG_TIMEOUT_MS_MAX}`,
    )
  if (!isWholeFrom(snapshotEvery, 10, SNAPSHOT_EVERY_MAX))
    throw new WarpError(
      'WARP_E_CONFIG',
      `strong.snapshotEvery is ${shownValue(snapshotEvery)}; give a number of records from 10 to ${SNAPSHOT_EVERY_MAX}`,
    )
  return { timeoutMs, snapshotEvery }
}

/** What is no plain value weighs so much. */
const OTHER_BYTES = 64

function copyLimits(options: CopiesOptions = {}): CopyLimits {
  checkOptions('openWarp: copies', options, COPIES_OPTIONS)
  checkTypeOf('openWarp: copies', options, 'entriesMax', 'number')
  checkTypeOf('openWarp: copies', options, 'bytesMax', 'number')
  checkTypeOf('openWarp: copies', options, 'weigh', 'function')
  const { entriesMax = COPIES_MAX, bytesMax = Number.POSITIVE_INFINITY } = options
  for (const [name, value] of Object.entries({ entriesMax, bytesMax })) {
    if (!isNumberFrom(value, 1))
      throw new WarpError('WARP_E_CONFIG', `copies.${name} is ${shownValue(value)}; give a number of at least 1`)
  }
  const policy = policyOf(options.policy)
  const { weigh = (key: string, value: unknown) => key.length + weightOf(value, OTHER_BYTES) } = options
  return { entriesMax, bytesMax, weigh, policy }
}

function checkLog(log: unknown): void {
  const remedy = typeof log === 'string' ? `give fileLog({ path: ${JSON.stringify(log)} })` : 'give fileLog({ path })'
  const given = typeof log === 'function' ? `call it: ${log.name}({ path })` : remedy
  checkMethods('openWarp', 'log', { value: log, methods: ['open'], remedy: given })
}

function checkOrder(order: unknown): void {
  const remedy = 'give an ordered log: natsOrderedLog(...), redisOrderedLog(...), or memoryOrderedLog() for one process'
  if (isPortOfKind(order, 'broadcast'))
    throw refusedOption(
      'openWarp',
      'order',
      order,
      `a transport brings messages to others and puts nothing in order; give it in transports, and here ${remedy}`,
    )
  const given = typeof order === 'function' ? `call it: ${order.name}(...)` : remedy
  checkMethods('openWarp', 'order', { value: order, methods: ['open'], remedy: given })
}

/** Events that say that something written may be lost: told to `warn` where nobody observes. */
const LOSSES: ReadonlySet<WarpEvent['kind']> = new Set(['primary:rejected', 'primary:left', 'rejoin:lost'])

/** The first of each kind. */
function lossesTold(warn: (message: string) => void): (event: WarpEvent) => void {
  const told = new Set<string>()
  return ({ kind, ...details }) => {
    if (!LOSSES.has(kind) || told.has(kind)) return
    told.add(kind)
    const shown = 'error' in details ? { ...details, error: details.error.message } : details
    warn(`${kind} ${JSON.stringify(shown)}; give openWarp an observe to be told of each such event`)
  }
}

/**
 * As `observe`, but neither what it throws nor how a promise that it returns ends reaches the
 * engine. The first such error is told to `warn`; an observer that fails is called on. Without one, the
 * first event of each kind that says that something may be lost is told to `warn`.
 */
export function heardOnce(
  observe: ((event: WarpEvent) => unknown) | undefined,
  warn: ((message: string) => void) | undefined,
): (event: WarpEvent) => void {
  if (observe === undefined) return warn === undefined ? () => undefined : lossesTold(warn)
  let isTold = false
  const failed = (error: unknown): void => {
    if (isTold) return
    isTold = true
    warn?.(`observe threw; the engine goes on, and does not say so again: ${String(error)}`)
  }
  return (event) => {
    try {
      const returned = observe(event)
      if (isThenable(returned)) Promise.resolve(returned).catch(failed)
    } catch (error) {
      failed(error)
    }
  }
}
