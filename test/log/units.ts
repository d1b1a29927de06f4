/** What the tests of groups share: single records and groups by turns. */
import type { Log } from '../../src/log/log.ts'
import { append, sampleTexts } from './log-fixture.ts'

/** Texts that belong together: one alone is a single record. */
export type Unit = readonly string[]

/** Single records and groups by turns. */
export function sampleUnits(sizes: readonly number[], from = 0): Unit[] {
  let next = from
  return sizes.map((size) => {
    next += size
    return sampleTexts(size, next - size)
  })
}

/** Returns where the unit begins. */
export function appendUnit(log: Log, unit: Unit): number {
  const from = log.end
  if (unit.length === 1) append(log, unit[0] as string)
  else log.group(() => unit.map((text) => append(log, text)))
  return from
}

/** Of every file, as it is now. */
export function contents(files: { list(): string[]; bytes(name: string): Uint8Array }): [string, Uint8Array][] {
  return files.list().map((name) => [name, files.bytes(name).slice()])
}
