/** Runs one bench in this process: `node --expose-gc one.js <name> [--smoke | --large]`. */
import { type Bench, BenchContext } from './bench.ts'
import { keepEngineOpen } from './kept-engine.ts'
import { describeMachine, formatResult, saveResult } from './results.ts'

const [name = '', mode] = process.argv.slice(2)
const context = new BenchContext(mode === '--smoke', mode === '--large')
const bench = (await import(`../${name}.bench.js`)) as Bench
const kept = await keepEngineOpen()

try {
  await bench.run(context)
} finally {
  await kept.close()
  context.removeFolders()
}
if (context.tables.length === 0) throw new Error(`${name} reported nothing`)
if (context.isSmoke) {
  console.log(`${name}: right`)
} else {
  const { tables, figures } = context
  const result = { bench: name, question: bench.question, machine: describeMachine(), tables, figures }
  saveResult(result)
  console.log(`\n## ${name}\n\n${formatResult(result)}\n`)
}
// Nothing that a bench left running keeps the next one waiting.
process.exit(0)
