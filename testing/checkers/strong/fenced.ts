/**
 * W40: what is written under fences is in the order of their tokens, in the log of every replica; and what
 * was acknowledged is there, in one order for all.
 */
import { FENCED, jobOf, tokenOf } from '../../simulation/order/order-keys.ts'
import type { CallRecord, RunHistory } from '../../simulation/report/run-history.ts'
import type { Checker, Violation } from '../checker.ts'

const NAME = 'W40'

export function fenceChecker(): Checker {
  return {
    name: NAME,
    verify({ phase, history }) {
      if (phase !== 'quiesced' && phase !== 'restarted') return []
      return FENCED.map(jobOf).flatMap((key) => judge(key, history))
    },
  }
}

interface LogOfKey {
  readonly call: CallRecord
  readonly written: readonly string[]
}

function judge(key: string, history: RunHistory): Violation[] {
  const logs = history.calls.flatMap((call): LogOfKey[] => {
    const { intent, outcome, startedMs, value } = call
    if (intent.kind !== 'log' || intent.key !== key || outcome !== 'ok' || startedMs < history.restedMs) return []
    return [{ call, written: writtenIn(value) }]
  })
  const longest = logs.reduce<LogOfKey | undefined>(
    (one, other) => (other.written.length > (one?.written.length ?? -1) ? other : one),
    undefined,
  )
  if (longest === undefined) return []
  const acknowledged = history.fenced.filter((one) => one.key === key)
  const found = [...logs.flatMap((log) => outOfOrder(log, key)), ...logs.flatMap((log) => different(log, longest, key))]
  return [...found, ...missing(longest, acknowledged, key), ...fallen(key, history)]
}

/** As each replica has taken them in. */
function fallen(key: string, { outOfOrder: all }: RunHistory): Violation[] {
  return all
    .filter((one) => one.key === key)
    .map(({ machine, tokens: [before, after] }) => {
      const message = `${machine} has taken in a write of ${key} with the token ${after} behind one with ${before}`
      return { invariant: NAME, message, key, machine }
    })
}

/** What a snapshot held is not there one by one: such a log is the end of the others. */
function writtenIn(records: unknown): readonly string[] {
  return (records as readonly { readonly payload?: unknown }[]).flatMap(({ payload }) =>
    typeof payload === 'string' ? [payload] : [],
  )
}

function outOfOrder({ call, written }: LogOfKey, key: string): Violation[] {
  for (let i = 1; i < written.length; i++) {
    const [before, after] = [written[i - 1] ?? '', written[i] ?? '']
    if (tokenOf(after) < tokenOf(before))
      return [violation(call, key, `${after} counts behind ${before}, which a newer holder has written`)]
  }
  return []
}

function different({ call, written }: LogOfKey, longest: LogOfKey, key: string): Violation[] {
  const others = longest.written.slice(longest.written.length - written.length)
  if (written.join() === others.join()) return []
  return [violation(call, key, `is another one than that of ${longest.call.machine}`)]
}

/** Those that lie behind what the longest log begins with: before it, a snapshot has taken them. */
function missing({ call, written }: LogOfKey, acknowledged: RunHistory['fenced'], key: string): Violation[] {
  if (written.length === 0) return []
  const first = tokenOf(written[0] ?? '')
  const there = new Set(written)
  const gone = acknowledged.filter(({ token, number }) => token > first && !there.has(`${token}:${number}`))
  return gone.map(({ token, number }) => violation(call, key, `lacks ${token}:${number}, which was acknowledged`))
}

function violation({ machine }: CallRecord, key: string, message: string): Violation {
  return { invariant: NAME, message: `the log of ${key} at ${machine}: ${message}`, key, machine }
}
