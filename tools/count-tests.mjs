/**
 * Prints "passed failed" for a JSON report of vitest, as `.ci/run` adds them up. A test that was
 * skipped has shown nothing and counts as failed; so does a file that could not be loaded. On the
 * error stream: a line for each of them, with the first line of the fault.
 */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
let unloaded = 0
for (const file of report.testResults) {
  const name = relative(process.cwd(), file.name)
  if (file.status === 'failed' && file.assertionResults.length === 0) {
    unloaded++
    console.error(`${name}: not loaded: ${firstLine(file.message)}`)
  }
  for (const test of file.assertionResults) {
    if (test.status === 'passed') continue
    console.error(`${name}: ${test.fullName}: ${test.status}: ${firstLine(test.failureMessages?.[0])}`)
  }
}
const skipped = report.numPendingTests + report.numTodoTests
if (report.numPassedTests === 0) throw new Error('the report holds no test that passed')
console.log(`${report.numPassedTests} ${report.numFailedTests + skipped + unloaded}`)

function firstLine(/** @type {string | undefined} */ message) {
  return (message ?? '').split('\n', 1)[0] ?? ''
}
