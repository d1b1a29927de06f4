/** Carries out what users of a world with an ordered log do: one key at a time. */
import type { Warp } from '../../../src/api/public.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { CasAnswer, OrderIntent, VersionedAnswer } from './order-intent.ts'
import type { RunHistory } from '../report/run-history.ts'
import type { OrderPlace } from './order-place.ts'
import { performLock } from './perform-locks.ts'
import { readBalances, runLists, runMove } from './perform-transactions.ts'

/** Of an update, before it is given up. */
const UPDATE_TRIES = 4
/** A call of a session waits so long for what its user has seen. */
const SESSION_MS = 800

export function performOrder(warp: Warp<KeyMap>, intent: OrderIntent, place: OrderPlace): Promise<unknown> {
  switch (intent.kind) {
    case 'stale':
      return versioned(warp, intent.key, 'stale')
    case 'versioned':
      return versioned(warp, intent.key, 'linearizable')
    case 'cas':
      return compareAndSet(warp, intent)
    case 'update':
      return update(warp, intent)
    case 'resolve':
      return resolve(warp, intent)
    case 'move':
      return runMove(warp, intent, place.life)
    case 'balances':
      return readBalances(warp, intent, place.life)
    case 'lists':
      return runLists(warp, intent, place.life)
    case 'session':
      return inSession(warp, intent, place.history)
    default:
      return performLock(warp, intent, place)
  }
}

async function versioned(
  warp: Warp<KeyMap>,
  key: string,
  consistency: 'linearizable' | 'stale',
): Promise<VersionedAnswer> {
  const { value, version } = await warp.getVersioned(key, { consistency })
  return { value, version }
}

async function compareAndSet(
  warp: Warp<KeyMap>,
  { key, expected = 'absent', next }: Extract<OrderIntent, { readonly kind: 'cas' }>,
): Promise<CasAnswer> {
  const outcome = await warp.tryCompareAndSet(key, expected, next)
  return outcome.kind === 'ok' ? { version: outcome.receipt.version } : { conflict: outcome.version }
}

async function update(
  warp: Warp<KeyMap>,
  { key, add }: Extract<OrderIntent, { readonly kind: 'update' }>,
): Promise<number | undefined> {
  const change = (value: unknown): number => (typeof value === 'number' ? value : 0) + add
  return (await warp.update(key, change, { triesMax: UPDATE_TRIES }))?.version
}

/** The user has the token of all calls that have been answered; calls may overlap. */
async function inSession(
  warp: Warp<KeyMap>,
  { user, key, value }: Extract<OrderIntent, { readonly kind: 'session' }>,
  { sessions }: RunHistory,
): Promise<ReadonlySet<number> | undefined> {
  const session = warp.session(sessions.get(user), { timeoutMs: SESSION_MS })
  let seen: unknown
  if (value === undefined) seen = await session.get(key)
  else {
    const { add } = session.key(key) as unknown as { readonly add: (element: number) => Promise<unknown> }
    await add(value)
  }
  const known = sessions.get(user)
  if (known !== undefined) session.join(known)
  sessions.set(user, session.token)
  return seen as ReadonlySet<number> | undefined
}

async function resolve(
  warp: Warp<KeyMap>,
  { dot }: Extract<OrderIntent, { readonly kind: 'resolve' }>,
): Promise<string> {
  if (dot === undefined) throw new TypeError('there is nothing to resolve')
  return (await warp.resolve(dot)).kind
}
