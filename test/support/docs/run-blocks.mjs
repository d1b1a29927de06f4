/**
 * Runs the scripts that are named on the command line one after the other in this process, each in a new folder of its own,
 * and prints one line of JSON for each: `{ script, error }`, where `error` is absent if the script ran to its end.
 */
import { mkdirSync, writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

// What the scripts themselves print is not ours to read.
const report = (/** @type {object} */ result) => writeSync(1, `${JSON.stringify(result)}\n`)
console.log = console.info = console.table = () => {}

let current = ''
process.on('uncaughtException', (error) => {
  report({ script: current, error: String(error.stack) })
  process.exit(1)
})
process.on('beforeExit', () => {
  report({ script: current, error: 'waits for something that never comes' })
  process.exit(1)
})

for (const script of process.argv.slice(2)) {
  current = script
  const folder = `${script}.folder`
  mkdirSync(folder)
  process.chdir(folder)
  try {
    await import(pathToFileURL(script).href)
    report({ script })
  } catch (error) {
    report({ script, error: error instanceof Error ? error.stack : String(error) })
  }
}
process.exit(0)
