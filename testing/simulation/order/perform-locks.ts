/**
 * Locks and elections of the users of a world with an ordered log. Each time that somebody holds a lock
 * is written down as its process knows it.
 */
import type { Warp } from '../../../src/api/public.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Lock } from '../../../src/strong/locks/lock-types.ts'
import type { Hold } from '../report/run-history.ts'
import type { LocksAnswer, LockStep, OrderIntent } from './order-intent.ts'
import { jobOf, POOL } from './order-keys.ts'
import type { OrderPlace } from './order-place.ts'

type Of<Kind extends OrderIntent['kind']> = Extract<OrderIntent, { readonly kind: Kind }>

/** Fenced writes that were refused because a newer holder had written. */
export const FENCED_OFF = 'write of a former holder refused'
export const LATE_HOLDER = 'lock was lost while its holder worked'

/** Else there would be a term for each answer of the log. */
const TERM_MS_MIN = 300

export function performLock(
  warp: Warp<KeyMap>,
  intent: Of<'lock' | 'with lock' | 'elect' | 'locks'>,
  place: OrderPlace,
): Promise<unknown> {
  switch (intent.kind) {
    case 'lock':
      return holdLock(warp, intent, place)
    case 'with lock':
      return workUnderLock(warp, intent, place)
    case 'elect':
      return elect(warp, intent, place)
    case 'locks':
      return Promise.resolve(lockList(warp))
  }
}

/** Gives whether the lock was had. */
async function holdLock(warp: Warp<KeyMap>, intent: Of<'lock'>, place: OrderPlace): Promise<boolean> {
  const { name, ttlMs, permits, waitMs, steps, isForgotten } = intent
  const options = { ttlMs, ...sharing(name, permits) }
  const askedMs = place.line.nowMs
  const sleptMs = place.machine.clock.sleptMs
  const lock =
    waitMs === 0 ? await warp.locks.tryAcquire(name, options) : await warp.locks.acquire(name, { ...options, waitMs })
  if (lock === undefined) return false
  const hold = begun(place, { name, token: lock.token, permits, askedMs })
  hold.untilMs = certainUntil(lock, place, sleptMs)
  lock.lost.addEventListener('abort', () => end(hold, place))
  for (const step of steps) await take(warp, step, { hold, place, lock })
  if (isForgotten) return true
  end(hold, place)
  await lock.release().catch(expected)
  return true
}

/** Gives how it ended: whoever loses the lock meanwhile is told so. */
async function workUnderLock(warp: Warp<KeyMap>, intent: Of<'with lock'>, place: OrderPlace): Promise<boolean> {
  const { name, ttlMs, waitMs, maxMs, steps } = intent
  const askedMs = place.line.nowMs
  await warp.locks.withLock(
    name,
    async ({ token, signal }) => {
      const hold = begun(place, { name, token, permits: 1, askedMs })
      signal.addEventListener('abort', () => end(hold, place))
      for (const step of steps) await take(warp, step, { hold, place })
      end(hold, place)
    },
    { ttlMs, waitMs, maxMs },
  )
  return true
}

/** Gives how many terms there were. */
async function elect(warp: Warp<KeyMap>, intent: Of<'elect'>, place: OrderPlace): Promise<number> {
  const { name, ttlMs, forMs, steps } = intent
  const controller = new AbortController()
  void place.life.after(forMs).then(() => controller.abort(new Error('the campaign is over')))
  let termsCount = 0
  let askedMs = place.line.nowMs
  for await (const term of warp.elect(name, { ttlMs, signal: controller.signal })) {
    termsCount++
    const hold = begun(place, { name, token: term.token, permits: 1, askedMs })
    const over = (): void => end(hold, place)
    if (term.signal.aborted) over()
    else term.signal.addEventListener('abort', over)
    await place.life.after(TERM_MS_MIN)
    for (const step of steps) await take(warp, step, { hold, place })
    end(hold, place)
    await term.resign()
    askedMs = place.line.nowMs
  }
  return termsCount
}

function lockList(warp: Warp<KeyMap>): LocksAnswer {
  return warp.locks.list().map(({ name, holders, waiting }) => ({
    ...{ name, tokens: holders.map(({ token }) => token), waitingCount: waiting.length },
  }))
}

function sharing(name: string, permits: number): { readonly mode?: 'read'; readonly permits?: number } {
  if (permits === 0) return { mode: 'read' }
  return name === POOL ? { permits } : {}
}

function begun(
  { history, machine, line, call }: OrderPlace,
  of: Pick<Hold, 'name' | 'token' | 'permits' | 'askedMs'>,
): Hold {
  const fromMs = line.nowMs
  const ends = { fromMs, untilMs: Infinity, endedMs: Infinity }
  const hold: Hold = { ...of, ...ends, call, machine: machine.name, life: machine.lifeNumber }
  history.holds.push(hold)
  history.count('locks had')
  return hold
}

function end(hold: Hold, { line }: OrderPlace): void {
  hold.endedMs = Math.min(hold.endedMs, line.nowMs)
}

/**
 * On the time of the world. Who has slept meanwhile does not know how much time has passed: no longer
 * than up to now, then.
 */
function certainUntil({ validUntil }: Lock, { line, life, machine }: OrderPlace, sleptMs: number): number {
  if (machine.clock.sleptMs !== sleptMs) return line.nowMs
  return line.nowMs + validUntil - life.monotonic()
}

interface Working {
  readonly hold: Hold
  readonly place: OrderPlace
  /** Who may renew it; others are renewed by themselves. */
  readonly lock?: Lock
}

async function take(warp: Warp<KeyMap>, { pauseMs, then }: LockStep, { hold, place, lock }: Working): Promise<void> {
  await place.life.after(pauseMs)
  if (typeof then === 'object') await write(warp, then.write, { hold, place })
  else if (then === 'renew' && lock !== undefined) await renew(lock, hold, place)
}

async function renew(lock: Lock, hold: Hold, place: OrderPlace): Promise<void> {
  const sleptMs = place.machine.clock.sleptMs
  try {
    await lock.renew()
    hold.untilMs = certainUntil(lock, place, sleptMs)
  } catch (error) {
    expected(error)
  }
}

/** Also when the lock has been lost: that is what fences are for. */
async function write(warp: Warp<KeyMap>, number: number, { hold, place }: Working): Promise<void> {
  const { name, token, untilMs, endedMs } = hold
  const { history, line } = place
  if (Math.min(untilMs, endedMs) < line.nowMs) history.count(LATE_HOLDER)
  try {
    const { dot } = await warp.set(jobOf(name), `${token}:${number}`, { fence: token })
    history.fenced.push({ key: jobOf(name), token, number, dot })
  } catch (error) {
    if (isWarpError(error, 'WARP_E_FENCED')) history.count(FENCED_OFF)
    expected(error)
  }
}

/** What may come of a lock while things go wrong. Anything else is for the caller. */
function expected(error: unknown): void {
  if (!isWarpError(error)) throw error
}
