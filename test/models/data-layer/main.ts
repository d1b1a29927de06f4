/**
 * Explores the models of the data layer.
 *
 *   npm run models:data-layer -- --runs 100000 --seed 7            every model, with all rules
 *   npm run models:data-layer -- --mutant all                      leaves out each rule: each has to be found
 *   npm run models:data-layer -- --model load-only --mutant set-below-floor --stories
 */
import { parseArgs } from 'node:util'
import { type Explorer, NO_MUTANT, type Schedule } from './explorer.ts'
import { MODELS } from './models.ts'
import { brokenWithoutMutant, caught, explored, isAtHand, record } from './recorded.ts'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    model: { type: 'string', default: 'all' },
    /** `none`, `all`, or names with commas between. */
    mutant: { type: 'string', default: NO_MUTANT },
    /** Prints the schedules that are found, step by step. */
    stories: { type: 'boolean', default: false },
    /** Searches where no schedule at hand finds the mutant, and writes what is found to recorded.json. */
    record: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
})
const extent = { runs: wholeNumber('runs', values.runs), seed: wholeNumber('seed', values.seed) }

main()

function main(): void {
  const models = MODELS.filter(({ name }) => values.model === 'all' || values.model.split(',').includes(name))
  if (models.length === 0)
    throw new Error(`--model is ${values.model}; give ${MODELS.map((m) => m.name).join(', ')} or all`)
  for (const model of models) {
    const names = Object.keys(model.mutants)
    if (values.list) console.log([model.name, ...names.map((name) => `  ${name}: ${model.mutants[name]!}`)].join('\n'))
    else if (values.mutant === NO_MUTANT) exploreRules(model)
    else for (const mutant of chosen(names)) exploreMutant(model, mutant)
  }
}

function chosen(names: readonly string[]): readonly string[] {
  return values.mutant === 'all' ? names : names.filter((name) => values.mutant.split(',').includes(name))
}

function exploreRules(model: Explorer): void {
  const early = brokenWithoutMutant(model)
  if (early !== undefined) {
    say('FAILED', model, early)
    process.exitCode = 1
    return
  }
  const started = performance.now()
  const { runs, counts, found } = model.explore(NO_MUTANT, extent.runs, extent.seed)
  if (found === undefined) {
    say('ok', model, `${runs} schedules, no violation, ${secondsSince(started)}; ${JSON.stringify(counts)}`)
    return
  }
  say('FAILED', model, `after ${runs} schedules, ${secondsSince(started)}`)
  tell(model, NO_MUTANT, found)
  process.exitCode = 1
}

function exploreMutant(model: Explorer, mutant: string): void {
  const started = performance.now()
  if (values.record && isAtHand(model, mutant)) return
  const result = (values.record ? explored : caught)(model, mutant, extent)
  if (result === undefined) {
    say('NOT CAUGHT', model, `${mutant}, ${secondsSince(started)}`)
    process.exitCode = 1
    return
  }
  say('caught', model, `${mutant}: ${result.how}, ${secondsSince(started)}: ${result.what.split('\n')[0]!}`)
  if (values.record && result.found !== undefined) record(model, mutant, result.found)
  if (values.stories && result.found !== undefined) tell(model, mutant, result.found)
}

function tell(model: Explorer, mutant: string, schedule: Schedule): void {
  const trace: string[] = []
  const what = model.replay(schedule, mutant, trace)
  console.log([JSON.stringify(schedule), ...trace, `=>   ${what ?? 'nothing'}`].join('\n'))
}

function say(verdict: string, model: Explorer, text: string): void {
  console.log(`${verdict.padEnd(10)} ${model.name}: ${text}`)
}

function secondsSince(ms: number): string {
  return `${((performance.now() - ms) / 1000).toFixed(1)} s`
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number)) throw new Error(`--${name} is ${text}; give a whole number`)
  return number
}
