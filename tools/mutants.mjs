/**
 * Do the tests have teeth? `npm run mutants` plants each fault of `test/mutants/` in a copy of the
 * tree and runs the tests that are to find it: `N killed, N survived`, and a failure if one
 * survives, is stale, or does not run. `npm run mutants -- --help` lists the options.
 *
 * Types are not checked: a compiler that refuses a fault has not shown that a test finds it. The
 * tests run once without any fault first, because one that fails anyway finds everything.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { mutantsDocument, planted, readMutants } from './mutants/mutant-files.mjs'
import { makeScratchCopy, removeScratchCopy } from './mutants/scratch-copy.mjs'
import { baseOf, changedFiles, sample, seedOfCommit, touchedBy } from './mutants/selection.mjs'
import { judge, runTests, unfit } from './mutants/trial.mjs'

/** @typedef {import('./mutants/mutant-files.mjs').Mutant} Mutant */

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const TEST_TIMEOUT_MS = 60_000
const DEADLINE_MS = 150_000
const BASELINE_DEADLINE_MS = 300_000

const command = new Command('npm run mutants --')
  .description('Plants faults in a copy of the tree and sees that the tests find them: all of them, unless told which.')
  .argument('[names...]', 'mutants: the names of the files of test/mutants/ without their ending')
  .option(
    '--touched',
    'those whose file, tests or text have changed since WARP_BASE (default: where this branch left origin/main, or 30 commits ago)',
  )
  .option('--most <count>', 'of those touched at most so many, drawn by the seed', wholeNumber)
  .option('--sample <count>', 'so many of the others, drawn by the seed', wholeNumber)
  .option('--seed <number>', 'what --most and --sample draw by (default: from the commit)', wholeNumber)
  .option('--workers <count>', 'how many are tried at a time', atLeastOne, 2)
  .option('--list', 'say which ones these are, and plant none')
  .addOption(
    new Option('--write-docs', 'write docs/mutants.md, and plant none').conflicts(['touched', 'sample', 'list']),
  )
  .allowExcessArguments(false)
  .parse()

/**
 * @type {{
 *   touched?: true, most?: number, sample?: number, seed?: number, workers: number, list?: true, writeDocs?: true
 * }}
 */
const { touched, most, sample: sampleCount, seed, workers, list, writeDocs } = command.opts()
const all = readMutants(ROOT)

if (writeDocs) writeFileSync(path.join(ROOT, 'docs/mutants.md'), mutantsDocument(all))
else if (list) for (const { name } of chosen()) console.log(name)
else process.exitCode = (await examine(chosen())) ? 0 : 1

/** @returns {readonly Mutant[]} */
function chosen() {
  const names = command.args
  const isDrawn = touched === true || sampleCount !== undefined
  if (most !== undefined && touched === undefined) command.error('--most says how many of --touched; give both')
  if (seed !== undefined && !isDrawn) command.error('--seed is for --touched and --sample; give one of them')
  if (names.length > 0 && isDrawn) command.error('give names, or --touched and --sample')
  const unknown = names.find((name) => all.every((mutant) => mutant.name !== name))
  if (unknown !== undefined) command.error(`there is no mutant ${unknown}; they are the files of test/mutants/`)
  if (isDrawn) return drawn()
  return names.length === 0 ? all : all.filter((mutant) => names.includes(mutant.name))
}

/** @returns {readonly Mutant[]} */
function drawn() {
  const drawnBy = seed ?? seedOfCommit(ROOT)
  const base = baseOf(ROOT, process.env['WARP_BASE'])
  const ofChange = touched ? touchedBy(all, changedFiles(ROOT, base)) : []
  const first = sample(ofChange, most ?? all.length, drawnBy)
  const others = all.filter((mutant) => !ofChange.includes(mutant))
  const second = sample(others, sampleCount ?? 0, drawnBy)
  const of = first.length < ofChange.length ? ` of ${ofChange.length}` : ''
  console.error(
    `seed ${drawnBy}: ${first.length}${of} touched since ${base.slice(0, 10)}, ${second.length} of ${others.length} others`,
  )
  return [...first, ...second]
}

/** @param {string} text */
function atLeastOne(text) {
  if (wholeNumber(text) === 0) throw new InvalidArgumentError('give at least 1')
  return wholeNumber(text)
}

/** @param {string} text */
function wholeNumber(text) {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('give a whole number')
  return Number(text)
}

/** @param {readonly Mutant[]} mutants */
async function examine(mutants) {
  if (mutants.length === 0) return true
  const stale = mutants.flatMap((mutant) => staleness(mutant))
  for (const line of stale) console.error(line)
  if (stale.length > 0) return false
  const copies = Array.from({ length: Math.min(workers, mutants.length) }, () => makeScratchCopy(ROOT, TEST_TIMEOUT_MS))
  try {
    if (!(await isBaselineGood(copies[0] ?? '', mutants))) return false
    const queue = [...mutants]
    const counts = { killed: 0, survived: 0, broken: 0 }
    await Promise.all(copies.map((scratch) => workOff(scratch, queue, counts)))
    const broken = counts.broken > 0 ? `, ${counts.broken} did not run` : ''
    console.log(`${counts.killed} killed, ${counts.survived} survived${broken}`)
    return counts.killed === mutants.length
  } finally {
    for (const scratch of copies) removeScratchCopy(scratch)
  }
}

/**
 * @param {Mutant} mutant
 * @returns {string[]}
 */
function staleness(mutant) {
  try {
    planted(mutant, readFileSync(path.join(ROOT, mutant.file), 'utf8'))
    return []
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}

/**
 * @param {string} scratch
 * @param {readonly Mutant[]} mutants
 */
async function isBaselineGood(scratch, mutants) {
  const killers = mutants.flatMap((mutant) => mutant.killers)
  const report = await runTests(scratch, killers, { deadlineMs: BASELINE_DEADLINE_MS, workers, bail: false })
  const faults = typeof report === 'string' ? [report] : unfit(report, killers, scratch)
  for (const fault of faults) console.error(`without a fault: ${fault}`)
  return faults.length === 0
}

/**
 * @param {string} scratch
 * @param {Mutant[]} queue
 * @param {Record<'killed' | 'survived' | 'broken', number>} counts
 */
async function workOff(scratch, queue, counts) {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const startedMs = performance.now()
    const verdict = await trial(scratch, mutant)
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    counts[verdict.kind]++
    const told =
      verdict.kind === 'killed' ? `by: ${verdict.by}` : verdict.kind === 'broken' ? verdict.why : mutant.plants
    console.log(`${verdict.kind.padEnd(8)} ${mutant.name} (${seconds} s) ${told}`)
  }
}

/**
 * @param {string} scratch
 * @param {Mutant} mutant
 */
async function trial(scratch, mutant) {
  const file = path.join(scratch, mutant.file)
  const source = readFileSync(file, 'utf8')
  writeFileSync(file, planted(mutant, source))
  try {
    return judge(await runTests(scratch, mutant.killers, { deadlineMs: DEADLINE_MS, workers: 1, bail: true }))
  } finally {
    writeFileSync(file, source)
  }
}
