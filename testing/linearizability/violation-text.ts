/**
 * A violation as a person reads it: the calls that are to blame on a time line, a lane per process,
 * and how far the search got.
 *
 *     register "x" is not linearizable: no order of its 9 calls fits what they returned
 *
 *     these are to blame, whatever became of the others (time runs to the right, and is stretched):
 *       0   write 1                |--|
 *       1   write 2                      |--|
 *       2   read -> 1                          |--|
 */
import type { Call, Process } from '../history/history.ts'
import type { Json } from '../history/json.ts'
import type { Minimised } from './minimise.ts'
import type { SequentialModel } from './model.ts'

const CALLS_SHOWN_MAX = 24
const VALUE_LENGTH_MAX = 60
const COLUMN = 3

export interface ViolationParts {
  readonly key: string
  readonly calls: readonly Call[]
  readonly longest: readonly Call[]
  readonly culprits: Minimised
}

export function describeViolation<State>(model: SequentialModel<State>, parts: ViolationParts): string {
  const { key, calls, longest, culprits } = parts
  const object = key === '' ? model.name : `${model.name} ${JSON.stringify(key)}`
  return [
    `${object} is not linearizable: no order of its ${calls.length} calls fits what they returned`,
    '',
    'these are to blame, whatever became of the others (time runs to the right, and is stretched):',
    ...timeLine(culprits).map((line) => `  ${line}`),
    '',
    `the longest order that fits has ${longest.length} calls, and then none of those that may come next fits:`,
    ...lastOf(longest, calls).map((line) => `  ${line}`),
    '',
  ].join('\n')
}

/** `write 1`, `read -> 2`, `cas [1,2] -> ?`. */
export function describeCall(call: Call): string {
  const input = call.input === null ? '' : ` ${shortText(call.input)}`
  if (call.outcome === 'failed') return `${call.f}${input} -> failed`
  if (call.outcome === 'indeterminate') return `${call.f}${input} -> ?`
  return call.output === null && input !== '' ? `${call.f}${input}` : `${call.f}${input} -> ${shortText(call.output)}`
}

function shortText(value: Json): string {
  const text = JSON.stringify(value)
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX - 3)}...`
}

/**
 * A line per call in the order of their invocations; moments that no shown call needs take no
 * space.
 */
function timeLine({ calls, relaxed }: Minimised): string[] {
  const shown = calls.slice(0, CALLS_SHOWN_MAX)
  const column = columnsOf(shown)
  const texts = shown.map((call) => describeCall(call) + (isMaybe(call, relaxed) ? ' (whatever became of it)' : ''))
  const width = Math.max(0, ...texts.map((text) => text.length))
  const names = shown.map((call) => nameOf(call.process))
  const nameWidth = Math.max(0, ...names.map((name) => name.length))
  const lines = shown.map((call, i) => {
    const from = column(call.invokedAt)
    const isOpen = call.outcome === 'indeterminate'
    const bar = isOpen ? '|--...' : `|${'-'.repeat(column(call.returnedAt) - from - 1)}|`
    return `${(names[i] ?? '').padEnd(nameWidth)}  ${(texts[i] ?? '').padEnd(width)}  ${' '.repeat(from)}${bar}`
  })
  return calls.length > shown.length ? [...lines, `and ${calls.length - shown.length} calls more`] : lines
}

/** An indeterminate call says so already. */
function isMaybe(call: Call, relaxed: ReadonlySet<number>): boolean {
  return relaxed.has(call.index) && call.outcome !== 'indeterminate'
}

function columnsOf(calls: readonly Call[]): (at: number) => number {
  const moments = calls.flatMap(({ invokedAt, returnedAt }) => [invokedAt, returnedAt])
  const ranks = new Map([...new Set(moments)].sort((a, b) => a - b).map((at, rank) => [at, rank * COLUMN]))
  return (at) => ranks.get(at) ?? 0
}

function nameOf(caller: Process): string {
  return `process ${caller}`
}

/** The end of the order, and the calls that may come behind it. */
function lastOf(longest: readonly Call[], calls: readonly Call[]): string[] {
  const from = Math.max(0, longest.length - CALLS_SHOWN_MAX)
  const placed = new Set(longest)
  const rest = calls.filter((call) => !placed.has(call))
  const deadline = Math.min(...rest.map(({ returnedAt }) => returnedAt))
  const next = rest.filter(({ invokedAt, outcome }) => invokedAt < deadline && outcome === 'ok')
  return [
    ...(from > 0 ? [`(${from} calls before)`] : []),
    ...longest.slice(from).map((call) => `${nameOf(call.process)}  ${describeCall(call)}`),
    `then one of: ${next.map((call) => `${nameOf(call.process)}: ${describeCall(call)}`).join(', ')}`,
  ]
}
