/**
 * W41: no two hold a lock at one time that may not share it; who waits is not given it when his own time
 * is over; and at rest every lock can be had.
 *
 * A process knows until when it holds a lock for certain, so these times may not overlap, whoever was paused,
 * killed or cut off. Of locks that are renewed by themselves nobody says that time: there a process counts
 * until it stands still for the first time.
 */
import type { CallRecord, Hold, LifeEvent, LifeEventKind, RunHistory } from '../../simulation/report/run-history.ts'
import type { Checker, Violation } from '../checker.ts'

const NAME = 'W41'
/** Times of the log are whole milliseconds. */
const SLACK_MS = 2
/** From the end of a wait to the moment at which its caller is told. */
const TOLD_MS = 5

/** A process that ends so lets go of everything. */
const ENDS: readonly LifeEventKind[] = ['closed', 'left', 'killed', 'power failure', 'refused']
const STANDS_STILL: readonly LifeEventKind[] = ['paused']
/** Who has asked was about to leave. */
const GONE: ReadonlySet<string> = new Set(['WARP_E_CLOSED', 'Error'])
/** Callbacks come late, and nobody knows how late. */
const LATE_CALLBACKS = 'slow'

export function holderChecker(): Checker {
  return {
    name: NAME,
    verify({ phase, history }) {
      if (phase !== 'quiesced' && phase !== 'restarted') return []
      return [...overlaps(history), ...history.calls.flatMap((call) => judgeWait(call, history))]
    },
  }
}

interface Span {
  readonly hold: Hold
  readonly toMs: number
}

function overlaps(history: RunHistory): Violation[] {
  const lives = livesOf(history)
  const byName = new Map<string, Span[]>()
  for (const hold of history.holds) {
    if (!Number.isFinite(hold.untilMs) && history.planned.has(LATE_CALLBACKS)) {
      history.exempt('locks that are renewed by themselves, where callbacks come late')
      continue
    }
    const spans = byName.get(hold.name) ?? []
    byName.set(hold.name, spans)
    spans.push({ hold, toMs: endOf(hold, lives.get(lifeName(hold)) ?? [], history) })
  }
  return [...byName.values()].flatMap(overlapsOf)
}

function overlapsOf(spans: readonly Span[]): Violation[] {
  const found: Violation[] = []
  let open: Span[] = []
  for (const span of [...spans].sort((a, b) => a.hold.fromMs - b.hold.fromMs)) {
    const { fromMs } = span.hold
    open = open.filter(({ toMs }) => toMs > fromMs + SLACK_MS)
    const others = open.map(({ hold }) => hold)
    if (span.toMs > fromMs && others.length > 0 && !mayShare([...others, span.hold])) {
      const names = others.map((hold, i) => `${nameOf(hold)} until ${open[i]?.toMs.toFixed(0) ?? ''} ms`)
      const message = `${span.hold.name}: ${nameOf(span.hold)} has it at ${fromMs.toFixed(0)} ms, and so have ${names.join(', ')}`
      found.push({ invariant: NAME, message, machine: span.hold.machine })
    }
    open.push(span)
  }
  return found
}

function mayShare(holds: readonly Hold[]): boolean {
  if (holds.every(({ permits }) => permits === 0)) return true
  return holds.length <= Math.min(...holds.map(({ permits }) => permits))
}

function endOf(hold: Hold, lived: readonly LifeEvent[], { orderJumps }: RunHistory): number {
  const { fromMs, untilMs, endedMs } = hold
  const isCertain = Number.isFinite(untilMs)
  const kinds = isCertain ? ENDS : [...ENDS, ...STANDS_STILL]
  const stop = lived.find(({ kind, atMs }) => kinds.includes(kind) && atMs >= fromMs)?.atMs ?? Infinity
  // Where the clock of the log is set forward, locks end sooner (docs/locks.md).
  const jumps = orderJumps.filter(
    ({ atMs, byMs }) => byMs > 0 && atMs >= hold.askedMs && atMs <= Math.min(untilMs, endedMs),
  )
  const firstJumpMs = jumps[0]?.atMs ?? Infinity
  return Math.min(untilMs, endedMs, stop, firstJumpMs)
}

function judgeWait(call: CallRecord, history: RunHistory): Violation[] {
  const { intent } = call
  if (intent.kind !== 'lock' || intent.waitMs === 0) return []
  if (call.startedMs >= history.restedMs) return hadAtRest(call)
  const hold = history.holds.find((one) => one.call === call.id)
  return hold === undefined ? [] : hadInTime(call, hold, intent.waitMs, history)
}

function hadAtRest(call: CallRecord): Violation[] {
  const { outcome, value, error } = call
  const isGone = error !== undefined && GONE.has(error)
  return isGone || (outcome === 'ok' && value === true)
    ? []
    : [violation(call, `cannot be had at rest: ${error ?? outcome}`)]
}

function hadInTime(call: CallRecord, { fromMs }: Hold, waitMs: number, history: RunHistory): Violation[] {
  const { startedMs, machine } = call
  if (fromMs <= startedMs + waitMs + TOLD_MS) return []
  const stoodStill = history.lives.some(
    (life) => life.machine === machine && life.kind === 'paused' && life.atMs >= startedMs && life.atMs <= fromMs,
  )
  if (stoodStill || history.planned.has(LATE_CALLBACKS)) return []
  return [violation(call, `was given ${(fromMs - startedMs).toFixed(0)} ms after it was asked for`)]
}

function livesOf({ lives }: RunHistory): ReadonlyMap<string, readonly LifeEvent[]> {
  const all = new Map<string, LifeEvent[]>()
  for (const event of lives) {
    const name = lifeName(event)
    const of = all.get(name) ?? []
    all.set(name, of)
    of.push(event)
  }
  return all
}

function lifeName({ machine, life }: { readonly machine: string; readonly life: number }): string {
  return `${machine} ${life}`
}

function nameOf({ machine, call, token }: Hold): string {
  return `${machine} (call ${call}, token ${token})`
}

function violation({ intent, id, machine }: CallRecord, message: string): Violation {
  const name = intent.kind === 'lock' ? `${intent.name}, which is waited for for ${intent.waitMs} ms,` : ''
  return { invariant: NAME, message: `${name} (call ${id} at ${machine}) ${message}`, machine }
}
