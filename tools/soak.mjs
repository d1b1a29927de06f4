/**
 * `npm run soak -- --minutes N`: fresh seeds of the simulator, in as many processes as asked
 * (`--workers`, 2), until the time is up; then the totals. Without `--minutes`, the test suite with
 * more cases and a fresh seed. Exit code 1 if anything was violated.
 */
import { spawnSync, fork } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureBuilt } from './built.mjs'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const SHOWN_MAX = 5

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    workers: { type: 'string' },
    from: { type: 'string' },
    worker: { type: 'string' },
  },
})

if (values.minutes === undefined) {
  const { status } = spawnSync('npx', ['vitest', 'run', '--mode', 'soak'], { cwd: ROOT, stdio: 'inherit' })
  process.exit(status ?? 1)
}
const minutes = Number(values.minutes)
const workers = Number(values.workers ?? 2)
if (!(minutes > 0) || !(workers > 0)) {
  console.error('npm run soak [-- --minutes <n> [--workers <n>] [--from <seed>]]; numbers are greater than 0')
  process.exit(2)
}

if (values.worker !== undefined) await work(Number(values.worker), Number(values.from))
else await lead(Number(values.from ?? Math.floor(Date.now() / 1000) * 1000))

/** @param {number} from */
async function lead(from) {
  ensureBuilt()
  console.log(`seeds from ${from}, ${minutes} minutes, ${workers} processes`)
  const codes = await Promise.all(
    Array.from({ length: workers }, (_, worker) => {
      const flags = ['--minutes', String(minutes), '--workers', String(workers), '--from', String(from)]
      const child = fork(fileURLToPath(import.meta.url), [...flags, '--worker', String(worker)])
      return new Promise((resolve) => child.on('exit', resolve))
    }),
  )
  process.exitCode = codes.every((code) => code === 0) ? 0 : 1
}

/** Every `workers`-th seed. @param {number} worker @param {number} from */
async function work(worker, from) {
  const folder = pathToFileURL(path.join(ROOT, 'dist/testing/simulation/')).href
  /** @type {typeof import('../testing/simulation/simulate.ts')} */
  const { simulate } = await import(`${folder}simulate.js`)
  /** @type {typeof import('../testing/simulation/report/totals.ts')} */
  const { SimulationTotals } = await import(`${folder}report/totals.js`)
  const totals = new SimulationTotals()
  const startedMs = performance.now()
  let seed = from + worker
  process.on('unhandledRejection', (error) => {
    console.log(`seed ${seed} (npx warp sim --seed ${seed}): a promise was rejected that nobody looks at`)
    throw error
  })
  for (; performance.now() - startedMs < minutes * 60_000; seed += workers) {
    const simulated = await simulate({ seed })
    totals.add(simulated)
    if (simulated.isClean) continue
    console.log(`seed ${seed} (npx warp sim --seed ${seed} --explain)`)
    for (const { invariant, message } of simulated.violations.slice(0, SHOWN_MAX))
      console.log(`  ${invariant} ${message}`)
    console.log(`  smaller: ${JSON.stringify(simulated.explanation?.scenario)}`)
  }
  console.log(totals.text())
  process.exitCode = totals.failed.length === 0 ? 0 : 1
}
