/** Runs tests in a scratch copy and judges what they say. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { titlePattern } from './mutant-files.mjs'
import { SCRATCH_CONFIG } from './scratch-copy.mjs'

/**
 * @typedef {import('./mutant-files.mjs').Killer} Killer
 * @typedef {{ fullName: string, title: string, status: string, failureMessages: string[] }} TestResult
 * @typedef {{ name: string, status: string, message?: string, assertionResults: TestResult[] }} FileResult
 * @typedef {{ testResults: FileResult[] }} Report
 * @typedef {{ readonly kind: 'killed', readonly by: string } | { readonly kind: 'survived' }
 *   | { readonly kind: 'broken', readonly why: string }} Verdict
 */

/**
 * A fault that does not even run proves nothing, and one that hangs takes too long. The last one is
 * how vitest reports a test out of time.
 */
const DOES_NOT_RUN = /^(?:ReferenceError|SyntaxError)\b|Transform failed|(?:Test|Hook) timed out|STACK_TRACE_ERROR/

/**
 * The tests' report, or in words why there is none.
 *
 * @param {string} scratch
 * @param {readonly Killer[]} killers
 * @param {{ readonly deadlineMs: number, readonly workers: number, readonly bail: boolean }} how
 * @returns {Promise<Report | string>}
 */
export async function runTests(scratch, killers, { deadlineMs, workers, bail }) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'warp-mutants-report-'))
  const file = path.join(folder, 'report.json')
  const vitest = path.join(scratch, 'node_modules/vitest/vitest.mjs')
  const parameters = [
    ...[vitest, 'run', '--config', SCRATCH_CONFIG, `--maxWorkers=${workers}`, ...(bail ? ['--bail=1'] : [])],
    ...['--reporter=json', `--outputFile=${file}`, '-t', killers.map(titlePattern).join('|')],
    ...new Set(killers.map((killer) => killer.file)),
  ]
  try {
    const isInTime = await ended(scratch, parameters, deadlineMs)
    if (!isInTime) return `the tests were not done after ${deadlineMs / 1000} s`
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    return `the tests left no report: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Whether the run ended by itself. Its process group is ended otherwise: workers would outlive their parent.
 *
 * @param {string} scratch
 * @param {readonly string[]} parameters
 * @param {number} deadlineMs
 * @returns {Promise<boolean>}
 */
function ended(scratch, parameters, deadlineMs) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, SEED: process.env['SEED'] ?? '20111' }
    const child = spawn(process.execPath, parameters, { cwd: scratch, env, detached: true, stdio: 'ignore' })
    let isInTime = true
    const timer = setTimeout(() => {
      isInTime = false
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    }, deadlineMs)
    child.on('error', reject)
    child.on('exit', () => {
      clearTimeout(timer)
      resolve(isInTime)
    })
  })
}

/**
 * @param {Report | string} report
 * @returns {Verdict}
 */
export function judge(report) {
  if (typeof report === 'string') return { kind: 'broken', why: report }
  const unloaded = report.testResults.find((file) => file.status === 'failed' && file.assertionResults.length === 0)
  if (unloaded !== undefined)
    return { kind: 'broken', why: `a test file does not load: ${firstLine(unloaded.message)}` }
  const ran = report.testResults.flatMap((file) => file.assertionResults.filter((test) => hasRun(test)))
  if (ran.length === 0) return { kind: 'broken', why: 'none of the tests ran' }
  const failed = ran.find((test) => test.status === 'failed')
  if (failed === undefined) return { kind: 'survived' }
  const why = firstLine(failed.failureMessages[0])
  if (DOES_NOT_RUN.test(why)) return { kind: 'broken', why: `${failed.title}: ${why}` }
  return { kind: 'killed', by: failed.title }
}

/**
 * The killers that do not pass where nothing is planted: what they say of a mutant is worth nothing.
 *
 * @param {Report} report
 * @param {readonly Killer[]} killers
 * @param {string} scratch
 */
export function unfit(report, killers, scratch) {
  return killers.flatMap((killer) => {
    const found = report.testResults.find((file) => path.relative(scratch, file.name) === killer.file)
    const title = new RegExp(titlePattern(killer))
    const tests = (found?.assertionResults ?? []).filter((test) => title.test(test.fullName) && hasRun(test))
    const failed = tests.find((test) => test.status === 'failed')
    if (tests.length > 0 && failed === undefined) return []
    const why = failed === undefined ? 'does not run' : `fails: ${firstLine(failed.failureMessages[0])}`
    return [`${killer.file} › ${killer.name} ${why}`]
  })
}

/** @param {TestResult} test */
function hasRun({ status }) {
  return status === 'passed' || status === 'failed'
}

/** @param {string | undefined} text */
function firstLine(text) {
  return text?.split('\n', 1)[0] ?? ''
}
