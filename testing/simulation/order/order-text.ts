/** What users of a world with an ordered log do, as text: for the trace and for people. */
import { canonicalText, type Json } from '../../history/json.ts'
import type { LockStep, OrderIntent } from './order-intent.ts'

const ANSWER_MAX = 80

type Texts = {
  readonly [Kind in OrderIntent['kind']]: (intent: Extract<OrderIntent, { readonly kind: Kind }>) => string
}

const TEXTS: Texts = {
  stale: ({ key }) => `stale ${key}`,
  versioned: ({ key }) => `versioned ${key}`,
  cas: ({ key, expected, next }) => `${key} compareAndSet(${JSON.stringify(expected)}, ${next})`,
  update: ({ key, add }) => `${key} update(+ ${add})`,
  resolve: ({ of, dot }) => `resolve call ${of ?? '?'} (${dot?.replica ?? ''}:${dot?.sequence ?? ''})`,
  move: ({ number, amount, from, to, isGivenUp }) =>
    `move ${number}: ${amount} from ${from} to ${to.join(', ')}${isGivenUp ? ', given up' : ''}`,
  balances: ({ how }) => `balances, ${how}`,
  lists: ({ steps }) => `transaction ${JSON.stringify(steps)}`,
  lock: ({ name, ttlMs, waitMs, steps }) => `lock ${name} for ${ttlMs} ms, waits ${waitMs}: ${stepsText(steps)}`,
  'with lock': ({ name, ttlMs, maxMs, steps }) =>
    `withLock ${name} for ${ttlMs} ms, ${maxMs} at most: ${stepsText(steps)}`,
  elect: ({ name, ttlMs, forMs, steps }) => `elect ${name}, ${ttlMs} ms, takes part for ${forMs}: ${stepsText(steps)}`,
  session: ({ user, key, value }) => `user ${user} ${value === undefined ? `reads ${key}` : `adds ${value} to ${key}`}`,
  locks: () => 'list locks',
}

export function textOfOrderIntent(intent: OrderIntent): string {
  // The kind says which of them takes it, which the compiler does not follow.
  return (TEXTS[intent.kind] as (intent: OrderIntent) => string)(intent)
}

export function textOfOrderAnswer(value: unknown): string {
  return value === undefined ? '' : ` = ${shown(value).slice(0, ANSWER_MAX)}`
}

function shown(value: unknown): string {
  return canonicalText((JSON.parse(JSON.stringify(plain(value))) ?? null) as Json)
}

/** Sets as lists, also inside of an answer. */
function plain(value: unknown): unknown {
  if (value instanceof Set) return [...(value as Set<unknown>)]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}

function stepsText(steps: readonly LockStep[]): string {
  return steps
    .map(({ pauseMs, then }) => `${pauseMs} ms, ${typeof then === 'object' ? `write ${then.write}` : then}`)
    .join('; ')
}
