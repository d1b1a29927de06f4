/**
 * W21, W22 of what is kept in a database: a row loses nothing that it has held, whoever writes it and
 * whatever answers were lost; at rest it holds every acknowledged write, once, and none that was
 * refused. Told by rows that only grow: lists to which everybody appends, and counters that nobody
 * decrements.
 */
import { COUNTERS, LISTS, numbersOf, spaceOf } from '../../simulation/data/data-keys.ts'
import { shortly, textOfIntent } from '../../simulation/report/shown.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'
import { isSplit, SPLIT } from '../../simulation/splits.ts'
import type { Checker, Moment, RowView, SourcesView, Violation } from '../checker.ts'
import { Promises } from '../promises.ts'
import { isCounter, isOutsiders, isOwedToRow, isRefused, StoredWrites } from './stored-writes.ts'

type Violate = (invariant: string, message: string) => void
type Writes = ReadonlyMap<number, CallRecord>

export function rowChecker(): Checker {
  const writes = new StoredWrites()
  return {
    name: 'W21',
    observe(event) {
      if (event.kind === 'call' && event.call.outcome === 'pending') writes.note(event.call)
      return undefined
    },
    verify(moment) {
      const { sources } = moment
      if (sources === undefined || moment.phase === 'replayed') return []
      const isWhole = !isSplit(moment.history)
      if (!isWhole) moment.history.exempt(SPLIT)
      return [...writes.byKey].flatMap(([key, of]) => judge({ key, of, moment, sources, isWhole }))
    },
  }
}

interface Judged {
  readonly key: string
  readonly of: Writes
  readonly moment: Moment
  readonly sources: SourcesView
  readonly isWhole: boolean
}

function judge({ key, of, moment, sources, isWhole }: Judged): Violation[] {
  const violations: Violation[] = []
  const violate: Violate = (invariant, message) => {
    violations.push({ invariant, message: `the row of ${key} ${message}`, key })
  }
  const rows = sources.rowsOf(key)
  const space = spaceOf(key)
  if (LISTS.includes(space) || COUNTERS.includes(space)) judgeGrowth(rows, violate)
  if (!isCounter(key)) for (const row of rows) judgeNumbers(row, of, violate)
  const last = rows.at(-1)?.value
  const promises = new Promises(moment.history)
  if (isWhole && LISTS.includes(space)) judgeList(last, of, promises, violate)
  if (isWhole && isCounter(key)) judgeSum(last, of, promises, violate)
  return violations
}

/** No row lacks what the one before it held. */
function judgeGrowth(rows: readonly RowView[], violate: Violate): void {
  let before: RowView | undefined
  for (const row of rows) {
    const lost = before === undefined ? [] : lostBetween(before.value, row.value)
    if (lost.length > 0)
      violate('W21', `went back at ${row.atMs} ms: it was ${shortly(before?.value)} and lacks ${lost.join(', ')} then`)
    before = row
  }
}

function lostBetween(before: unknown, after: unknown): readonly (number | string)[] {
  if (typeof before === 'number') return typeof after === 'number' && after >= before ? [] : [`${before}`]
  const present = new Set(numbersOf(after))
  return numbersOf(before).filter((number) => !present.has(number))
}

/** What is in it somebody has written, once, and was not refused. */
function judgeNumbers({ value, atMs }: RowView, of: Writes, violate: Violate): void {
  const numbers = numbersOf(value)
  const seen = new Set<number>()
  for (const number of numbers) {
    const call = of.get(number)
    if (call === undefined) violate('W22', `holds ${number} at ${atMs} ms, which nobody has written`)
    else if (isRefused(call)) violate('W22', `holds ${number} at ${atMs} ms, which was refused (call ${call.id})`)
    if (seen.has(number)) violate('W22', `holds ${number} twice at ${atMs} ms`)
    seen.add(number)
  }
}

function judgeList(value: unknown, of: Writes, promises: Promises, violate: Violate): void {
  const present = new Set(numbersOf(value))
  for (const [number, call] of of)
    if (!present.has(number) && isOwedToRow(call, promises))
      violate('W21', `lacks ${nameOf(call)}, which was acknowledged`)
}

/** Amounts are positive: it lies between what is certain and what may be. */
function judgeSum(value: unknown, of: Writes, promises: Promises, violate: Violate): void {
  const sum = numbersOf(value)[0] ?? 0
  let [least, most] = [0, 0]
  for (const call of of.values()) {
    const amount = amountOf(call)
    if (isOwedToRow(call, promises)) least += amount
    if (!isRefused(call)) most += amount
  }
  if (sum < least) violate('W21', `is ${sum}, and ${least} was acknowledged`)
  if (sum > most) violate('W22', `is ${sum}, and nobody has wanted more than ${most}`)
}

function amountOf({ intent }: CallRecord): number {
  if (intent.kind === 'change') return intent.added
  return intent.kind === 'write' ? Number(intent.parameters[0] ?? 1) : 0
}

function nameOf(call: CallRecord): string {
  return `${textOfIntent(call.intent)} at ${call.machine} (call ${call.id}${isOutsiders(call) ? ', an outsider' : ''})`
}
