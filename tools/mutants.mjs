/**
 * Do the tests have teeth? `npm run mutants` plants each fault of `test/mutants/` in a copy of the
 * tree and runs the tests that are to find it: `N killed, N survived`, and a failure if one
 * survives, is stale, or does not run.
 *
 *     npm run mutants -- [--workers=N] [--write-docs] [NAME...]
 *
 * Types are not checked: a compiler that refuses a fault has not shown that a test finds it. The
 * tests run once without any fault first, because one that fails anyway finds everything.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutantsDocument, planted, readMutants } from './mutants/mutant-files.mjs'
import { makeScratchCopy, removeScratchCopy } from './mutants/scratch-copy.mjs'
import { judge, runTests, unfit } from './mutants/trial.mjs'

/** @typedef {import('./mutants/mutant-files.mjs').Mutant} Mutant */

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const TEST_TIMEOUT_MS = 60_000
const DEADLINE_MS = 150_000
const BASELINE_DEADLINE_MS = 300_000
const WORKERS = 2

const given = process.argv.slice(2)
const names = given.filter((parameter) => !parameter.startsWith('--'))
const workers = Number(given.find((parameter) => parameter.startsWith('--workers='))?.slice(10) ?? WORKERS)
const all = readMutants(ROOT)

if (given.includes('--write-docs')) writeFileSync(path.join(ROOT, 'docs/mutants.md'), mutantsDocument(all))
else process.exitCode = (await examine(chosen())) ? 0 : 1

/** @returns {Mutant[]} */
function chosen() {
  const unknown = names.find((name) => all.every((mutant) => mutant.name !== name))
  if (unknown !== undefined) throw new Error(`there is no mutant ${unknown}; they are the files of test/mutants/`)
  return names.length === 0 ? all : all.filter((mutant) => names.includes(mutant.name))
}

/** @param {readonly Mutant[]} mutants */
async function examine(mutants) {
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
