/** What the tests of groups share: single records and groups by turns. */
import { RECORD_KIND, type Log } from '../../src/log/log.ts'
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

/**
 * Writes a unit as a long group: in several parts, each of which is stored, with `between` after each.
 * Returns where it ends.
 */
export async function appendLong(
  log: Log,
  unit: Unit,
  { between = () => undefined, freeNumbers = 3 }: LongOptions = {},
): Promise<number> {
  const group = log.beginGroup(freeNumbers)
  try {
    for (const text of unit.slice(0, -1)) {
      group.begin().utf8(text)
      group.commit(RECORD_KIND.operation, 0)
      group.store()
      await between()
    }
    return log.endGroup(group, () => {
      append(log, unit.at(-1) as string)
      return log.end
    })
  } finally {
    group.dispose()
  }
}

export interface LongOptions {
  readonly between?: () => Promise<void> | void
  readonly freeNumbers?: number
}

/** Of every file, as it is now. */
export function contents(files: { list(): string[]; bytes(name: string): Uint8Array }): [string, Uint8Array][] {
  return files.list().map((name) => [name, files.bytes(name).slice()])
}
