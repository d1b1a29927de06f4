/**
 * Do the clients and libraries of Redis run unmodified against the sidecar? Each is brought from its own
 * registry into a temporary folder and runs its check of `tools/clients/` against a sidecar of its own.
 * What could not be brought, or whose language is not here, is said loudly, and ends the run with 2; a check
 * that fails ends it with 1.
 *
 *     npm run clients -- [name]...
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ensureBuilt } from './built.mjs'
import { CLIENTS, LANGUAGES } from './clients/list.mjs'
import { startSidecar } from './clients/sidecar.mjs'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const DEADLINE_MS = 300_000
const SHOWN_CHARACTERS = 600

const given = process.argv.slice(2)
const unknown = given.find((name) => !CLIENTS.some((one) => one.name === name))
if (unknown !== undefined)
  throw new Error(`there is no client ${unknown}; there are ${CLIENTS.map(({ name }) => name).join(', ')}`)

ensureBuilt()
const folder = mkdtempSync(path.join(tmpdir(), 'warp-clients-'))
/** @typedef {import('./clients/list.mjs').ClientOf} ClientOf */
/** @typedef {{ verdict: 'runs' | 'FAILS' | 'NOT RUN', detail: string }} Outcome */

/** @type {Outcome[]} */
const outcomes = []
try {
  for (const client of CLIENTS) {
    if (given.length > 0 && !given.includes(client.name)) continue
    const outcome = await check(client)
    outcomes.push(outcome)
    console.log(`${outcome.verdict.padEnd(8)} ${client.name}${outcome.detail === '' ? '' : `: ${outcome.detail}`}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
/** @param {Outcome['verdict']} verdict */
const count = (verdict) => outcomes.filter((one) => one.verdict === verdict).length
console.log(`${count('runs')} run, ${count('FAILS')} fail, ${count('NOT RUN')} were not run`)
process.exitCode = count('FAILS') > 0 ? 1 : count('NOT RUN') > 0 ? 2 : 0

/**
 * @param {ClientOf} client
 * @returns {Promise<Outcome>}
 */
async function check(client) {
  const language = LANGUAGES[client.language]
  const own = path.join(folder, client.name)
  cpSync(path.join(ROOT, 'tools/clients', client.language), own, { recursive: true })
  for (const command of language.install(client)) {
    const failure = run(command, own)
    if (failure !== '') return { verdict: 'NOT RUN', detail: `${command[0]}: ${failure}` }
  }
  const sidecar = await startSidecar(pathToFileURL(path.join(ROOT, 'dist')).href)
  try {
    const command = language.check(client)
    const env = { PORT: String(sidecar.port), MAJOR: client.major ?? '' }
    const begunMs = performance.now()
    const { failure } = await sidecar.run(command, { cwd: own, env, deadlineMs: DEADLINE_MS })
    if (failure !== '') return { verdict: 'FAILS', detail: failure }
    return {
      verdict: 'runs',
      detail: `${language.version(own, client)}, ${Math.round(performance.now() - begunMs)} ms`,
    }
  } finally {
    await sidecar.close()
  }
}

/**
 * @param {readonly [string, ...string[]]} command
 * @param {string} cwd
 * @returns {string} why it failed; empty if it did not
 */
function run([program, ...parameters], cwd) {
  const { error, status, stderr, stdout } = spawnSync(program, parameters, {
    cwd,
    encoding: 'utf8',
    timeout: DEADLINE_MS,
  })
  if (error !== undefined) return error.message
  return status === 0 ? '' : `${stdout}${stderr}`.trim().slice(-SHOWN_CHARACTERS) || `ended with ${status}`
}
