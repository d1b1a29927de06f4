/**
 * One value that can be written over, added to and patched: a string, a field of a hash, or the score
 * of a member. Whole values that are concurrent stay side by side, because who takes one away may not
 * have seen another; the one with the greatest stamp is shown. Additions that no whole value has
 * replaced add up upon it, and then patches are made in the order of their stamps.
 */
import type { Stamp } from '../time/hlc.ts'
import { compareStamps } from '../time/hlc.ts'
import { addExact, doubleOf, parseExact, shownExact, type Exact } from './exact.ts'
import { NO_PATCHES, changed, type Patch } from './patches.ts'
import { NO_RUNS, sumOf, type Run } from './runs.ts'
import { isPast, type Seen } from './seen.ts'

/** A score may be meant as the greatest, or the least, of concurrent ones (ZADD GT and LT). */
export type PutMode = 'put' | 'max' | 'min'

export interface Put<Value> {
  readonly stamp: Stamp
  readonly value: Value
  readonly mode: PutMode
}

export interface Cell<Value> {
  /** By stamp, the greatest last. Nearly always one. */
  puts: readonly Put<Value>[]
  runs: readonly Run[]
  patches: readonly Patch[]
  /** What a patched string comes to, once somebody has asked. */
  text: string | undefined
}

const NO_PUTS: readonly Put<never>[] = Object.freeze([])

export function emptyCell<Value>(): Cell<Value> {
  return { puts: NO_PUTS, runs: NO_RUNS, patches: NO_PATCHES, text: undefined }
}

export function isEmptyCell({ puts, runs, patches }: Cell<unknown>): boolean {
  return puts.length === 0 && runs.length === 0 && patches.length === 0
}

/** Takes away what the writer had seen, but for additions, which are cut (`runs.ts`). */
export function eraseCell(cell: Cell<unknown>, seen: Seen): void {
  cell.text = undefined
  if (cell.puts.length > 0) cell.puts = cell.puts.filter(({ stamp }) => !isPast(seen, stamp))
  if (cell.patches.length > 0) cell.patches = cell.patches.filter(({ stamp }) => !isPast(seen, stamp))
}

export function putInto<Value>(cell: Cell<Value>, seen: Seen, value: Value, mode: PutMode = 'put'): void {
  eraseCell(cell, seen)
  const put = { stamp: seen.stamp, value, mode }
  cell.puts = cell.puts.length === 0 ? [put] : [...cell.puts, put].sort((a, b) => compareStamps(a.stamp, b.stamp))
}

export function patchCell(cell: Cell<string>, patch: Patch): void {
  const last = cell.patches.at(-1)
  const isLast = last === undefined || compareStamps(last.stamp, patch.stamp) < 0
  if (isLast) {
    const before = cell.text ?? (last === undefined ? textOf(cell) : undefined)
    cell.text = before === undefined ? undefined : changed(before, patch.changes)
    if (cell.patches.length === 0) cell.patches = [patch]
    else (cell.patches as Patch[]).push(patch) // the cell's own: thousands are no reason to copy them
    return
  }
  cell.text = undefined
  cell.patches = [...cell.patches, patch].sort((a, b) => compareStamps(a.stamp, b.stamp))
}

/** What is shown; `undefined` if nothing is in. Additions to what is no number sleep. */
export function textOf(cell: Cell<string>): string | undefined {
  const { puts, runs, patches } = cell
  if (cell.text !== undefined) return cell.text
  const put = puts.at(-1)
  const base = runs.length === 0 ? put?.value : summed(put?.value, runs)
  if (patches.length === 0) return base
  return (cell.text = patches.reduce((text, { changes }) => changed(text, changes), base ?? ''))
}

function summed(text: string | undefined, runs: readonly Run[]): string {
  const base = parseExact(text ?? '0')
  return base === undefined ? (text ?? '') : shownExact(addExact(base, sumOf(runs)))
}

/** The score; `undefined` if nothing is in. */
export function scoreOf(cell: Cell<number>): number | undefined {
  const exact = exactScoreOf(cell)
  return exact === undefined ? undefined : doubleOf(exact)
}

/** The same before it is rounded to a double. An infinite one swallows what is added. */
export function exactScoreOf({ puts, runs }: Cell<number>): Exact | undefined {
  if (puts.length === 0 && runs.length === 0) return undefined
  const base = puts.reduce<number | undefined>(resolved, undefined) ?? 0
  return runs.length === 0 || !Number.isFinite(base) ? base : addExact(base, sumOf(runs))
}

/** Puts in the order of their stamps: a plain one wins over those before it. */
function resolved(score: number | undefined, { value, mode }: Put<number>): number {
  if (mode === 'put' || score === undefined) return value
  return mode === 'max' ? Math.max(score, value) : Math.min(score, value)
}

/** All that is in, for whoever looks for the latest. */
export function* stampsIn({ puts, runs, patches }: Cell<unknown>): Generator<Stamp> {
  for (const { stamp } of puts) yield stamp
  for (const { stamp } of runs) yield stamp
  for (const { stamp } of patches) yield stamp
}
