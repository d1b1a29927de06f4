/**
 * Workloads that cannot work. A verb that does not exist, or a key that no pattern matches, would
 * fail at every call, and a run in which everything fails has no violation: it would pass and have
 * checked nothing. So what can never be done ends the simulation, with what there is instead. What
 * only the present state forbids (a bound, an index beyond the end of a list) is a failed call, as
 * in life.
 */
import { isWarpError, WarpError, type WarpErrorCode } from '../../../crdt/warp-error.ts'
import type { Keyspace, Keyspaces } from '../../../src/keys/keyspace.ts'
import type { DataIntent } from '../data/data-intent.ts'
import type { OrderIntent } from '../order/order-intent.ts'
import type { CallRecord, Intent } from '../report/run-history.ts'
import { shortly, textOfIntent } from '../report/shown.ts'
import { isTransferIntent, keysOfTransfer, type TransferIntent } from '../transfers.ts'

const FORMS: Readonly<Record<UsersIntent['kind'], string>> = {
  write: "{ kind: 'write', key, verb, parameters: [...] }",
  delete: "{ kind: 'delete', key }",
  read: "{ kind: 'read', key }",
  getAt: "{ kind: 'getAt', key, at: { timeMs } } or, at, { version }",
  log: "{ kind: 'log', key }",
  compact: "{ kind: 'compact' }",
  watch: "{ kind: 'watch', pattern, takeMax }",
  transfer: "{ kind: 'transfer', from, to: [...], amount }",
  sum: "{ kind: 'sum', keys: [...], how }",
}

/** Those of a workload of the user's. */
type UsersIntent = Exclude<Intent, DataIntent | OrderIntent>

const ACKS: ReadonlySet<unknown> = new Set([undefined, 'memory', 'logged', 'durable'])
const NAMED_MAX = 20

/** What an engine answers to calls that are wrong whatever the state. */
const ALWAYS_REFUSED: ReadonlySet<WarpErrorCode> = new Set<WarpErrorCode>([
  ...(['WARP_E_CONFIG', 'WARP_E_MODE', 'WARP_E_PATTERN', 'WARP_E_UNENCODABLE'] as const),
])

/** Throws `WARP_E_CONFIG`, unless `intent` is one that the keys allow. */
export function checkIntent(intent: unknown, keyspaces: Keyspaces): asserts intent is UsersIntent {
  const kind: unknown = typeof intent === 'object' && intent !== null && 'kind' in intent ? intent.kind : undefined
  if (typeof kind !== 'string' || !Object.hasOwn(FORMS, kind)) {
    throw refused(`the workload returned ${nameOf(intent)}; it returns one of ${Object.values(FORMS).join(', ')}`)
  }
  const problem = problemOf(intent as UsersIntent, keyspaces)
  if (problem !== undefined) throw refused(`the workload wants '${nameOf(intent)}': ${problem}`)
}

/**
 * The error that ends a run, if the engine's answer says that the call is wrong and not the state.
 */
export function misuseOf({ intent, machine }: CallRecord, error: unknown): WarpError | undefined {
  const isWrong = isWarpError(error) ? ALWAYS_REFUSED.has(error.code) : hasThrown(intent, error)
  if (!isWrong) return undefined
  const answer = isWarpError(error) ? `${error.code}: ${error.message}` : String(error)
  const remedy = 'mend the call; a verb of your own refuses with a WarpError whose code is not one of these'
  return refused(`the workload wants '${nameOf(intent)}', and ${machine} answers ${answer}; ${remedy}`, error)
}

/** What a verb throws that is no WarpError. Errors of the disk and of the process have a code. */
function hasThrown(intent: Intent, error: unknown): boolean {
  const hasCode = error instanceof Error && 'code' in error && typeof error.code === 'string'
  return (intent.kind === 'write' || intent.kind === 'watch') && !hasCode
}

function problemOf(intent: UsersIntent, keyspaces: Keyspaces): string | undefined {
  if (intent.kind === 'compact') return undefined
  if (intent.kind === 'watch') return typeof intent.takeMax === 'number' ? undefined : `its form is ${FORMS.watch}`
  return isTransferIntent(intent) ? problemOfTransfer(intent, keyspaces) : problemOfKey(intent, keyspaces)
}

type OfKey = Exclude<UsersIntent, TransferIntent | { readonly kind: 'compact' | 'watch' }>

function problemOfKey(intent: OfKey, keyspaces: Keyspaces): string | undefined {
  const keyspace = keyspaces.find(intent.key)
  if (keyspace === undefined) {
    const patterns = keyspaces.list.flatMap(({ pattern }) => (pattern === '' ? [] : [`'${pattern}'`]))
    return `no pattern matches the key; use one that is matched by ${listed(patterns)}, or add a pattern to keys`
  }
  if ('ack' in intent && !ACKS.has(intent.ack)) return `its ack is none of 'memory', 'logged' and 'durable'`
  if (intent.kind === 'write') return problemOfWrite(intent, keyspace)
  if (intent.kind === 'getAt') return isMoment(intent.at) ? undefined : `its form is ${FORMS.getAt}`
  if (intent.kind === 'delete' && keyspace.strategy.deletes === 'refused')
    return `'${keyspace.pattern}' is a ${keyspace.strategy.kind}, which cannot be deleted; use ${verbsOf(keyspace)}`
  return undefined
}

function problemOfTransfer(intent: TransferIntent, keyspaces: Keyspaces): string | undefined {
  const isFit = (key: unknown): boolean => {
    const keyspace = typeof key === 'string' ? keyspaces.find(key) : undefined
    return keyspace?.strategy.kind === 'counter' && keyspace.mode === 'eventual'
  }
  const named: unknown = intent.kind === 'sum' ? intent.keys : intent.to
  const isOfCounters = Array.isArray(named) && keysOfTransfer(intent).every(isFit)
  return isOfCounters ? undefined : `its keys are no eventual counters; its form is ${FORMS[intent.kind]}`
}

function problemOfWrite({ verb, parameters }: Intent & { kind: 'write' }, keyspace: Keyspace): string | undefined {
  if (!Object.hasOwn(keyspace.strategy.verbs as object, verb))
    return `'${keyspace.pattern}' is a ${keyspace.strategy.kind}, which has no verb '${verb}'; use ${verbsOf(keyspace)}`
  return Array.isArray(parameters) ? undefined : `its parameters are no array; its form is ${FORMS.write}`
}

function verbsOf({ strategy }: Keyspace): string {
  return listed(Object.keys(strategy.verbs as object))
}

function isMoment(at: unknown): boolean {
  if (typeof at !== 'object' || at === null) return false
  return typeof ('version' in at ? at.version : 'timeMs' in at ? at.timeMs : undefined) === 'number'
}

function nameOf(intent: unknown): string {
  if (intent instanceof Promise) return 'a promise'
  if (typeof intent !== 'object' || intent === null || !('kind' in intent)) return shortly(intent)
  const isWhole = Object.hasOwn(FORMS, String(intent.kind)) && (intent.kind !== 'write' || hasParameters(intent))
  return isWhole ? textOfIntent(intent as Intent) : shortly(intent)
}

function hasParameters(intent: object): boolean {
  return 'parameters' in intent && Array.isArray(intent.parameters)
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED_MAX
  return more > 0 ? `${names.slice(0, NAMED_MAX).join(', ')} and ${more} more` : names.join(', ')
}

function refused(problem: string, cause?: unknown): WarpError {
  return new WarpError('WARP_E_CONFIG', `simulate: ${problem}`, { cause })
}
