/**
 * Prints "passed failed" for a JSON report of vitest, as `.ci/run` adds them up. A test that was
 * skipped has shown nothing and counts as failed; so does a file that could not be loaded.
 */
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const unloaded = report.testResults.filter(
  (/** @type {{ status: string, assertionResults: unknown[] }} */ file) =>
    file.status === 'failed' && file.assertionResults.length === 0,
).length
const skipped = report.numPendingTests + report.numTodoTests
if (skipped > 0) console.error(`${skipped} tests were skipped; in CI everything has to run`)
const failed = report.numFailedTests + skipped + unloaded
if (report.numPassedTests === 0) throw new Error('the report holds no test that passed')
console.log(`${report.numPassedTests} ${failed}`)
