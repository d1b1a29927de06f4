/** Short schedules that were found to break an invariant, by mutant. They are tried before chance is. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Explorer, NO_MUTANT, type Schedule } from './explorer.ts'

type Recorded = Record<string, Record<string, Schedule>>

/** From the sources and from what is compiled alike. */
const FILE = path.resolve('test/models/data-layer/recorded.json')

let kept: Recorded | undefined

const all = (): Recorded => (kept ??= JSON.parse(readFileSync(FILE, 'utf8')) as Recorded)

export const recordedOf = (model: Explorer): Readonly<Record<string, Schedule>> => all()[model.name] ?? {}

export function isAtHand(model: Explorer, mutant: string): boolean {
  if (model.directed(mutant) !== undefined) return true
  const schedule = recordedOf(model)[mutant]
  return schedule !== undefined && model.replay(schedule, mutant) !== undefined
}

export function record(model: Explorer, mutant: string, schedule: Schedule): void {
  const ofModel = (all()[model.name] ??= {})
  ofModel[mutant] = schedule
  writeFileSync(FILE, textOf(all()))
}

/** A line for each schedule. */
function textOf(recorded: Recorded): string {
  const models = Object.entries(recorded).map(([name, schedules]) => {
    const lines = Object.entries(schedules).map(
      (entry) => `    ${entry.map((part) => JSON.stringify(part)).join(': ')}`,
    )
    return `  ${JSON.stringify(name)}: {\n${lines.join(',\n')}\n  }`
  })
  return `{\n${models.join(',\n')}\n}\n`
}

export interface Catch {
  readonly how: string
  readonly what: string
  readonly found?: Schedule
}

/** How a mutant is found: by a directed schedule, by its recorded one, or by chance. */
export function caught(
  model: Explorer,
  mutant: string,
  { runs, seed }: { runs: number; seed: number },
): Catch | undefined {
  const directed = model.directed(mutant)
  if (directed !== undefined) return { how: 'directed', what: directed }
  const recorded = recordedOf(model)[mutant]
  const replayed = recorded && model.replay(recorded, mutant)
  if (recorded !== undefined && replayed !== undefined)
    return { how: `recorded, ${recorded.steps.length} steps`, what: replayed, found: recorded }
  return explored(model, mutant, { runs, seed })
}

export function explored(
  model: Explorer,
  mutant: string,
  { runs, seed }: { runs: number; seed: number },
): Catch | undefined {
  const { runs: tried, found } = model.explore(mutant, runs, seed)
  if (found === undefined) return undefined
  const what = model.replay(found, mutant) ?? 'nothing when it is run again'
  return { how: `after ${tried} schedules, ${found.steps.length} steps`, what, found }
}

/** The recorded schedules of all mutants break nothing while every rule is there. */
export function brokenWithoutMutant(model: Explorer): string | undefined {
  for (const [mutant, schedule] of Object.entries(recordedOf(model))) {
    const what = model.replay(schedule, NO_MUTANT)
    if (what !== undefined) return `the schedule of ${mutant}: ${what}`
  }
  return model.directed(NO_MUTANT)
}
