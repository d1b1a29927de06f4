/**
 * Does Warp run where it is not developed? `npm run runtimes` runs a smoke test of the bundles in
 * Deno and Bun, which npm brings into a temporary folder; one that it cannot bring is skipped, and
 * said to be.
 *
 *     npm run runtimes -- [deno|bun|node]...
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const SMOKE = path.join(ROOT, 'tools/runtimes/smoke.mjs')
const LIB = path.join(ROOT, 'lib')
const DEADLINE_MS = 120_000

/** The versions that are tried, and how each is told to run a program. */
const RUNTIMES = {
  node: { version: '', command: [process.execPath] },
  deno: { version: '2.9.6', command: ['node_modules/.bin/deno', 'run', '--allow-all'] },
  bun: { version: '1.4.5', command: ['node_modules/.bin/bun', 'run'] },
}

const given = process.argv.slice(2)
const unknown = given.find((name) => !Object.hasOwn(RUNTIMES, name))
if (unknown !== undefined)
  throw new Error(`there is no runtime ${unknown}; there are ${Object.keys(RUNTIMES).join(', ')}`)

const folder = mkdtempSync(path.join(tmpdir(), 'warp-runtimes-'))
try {
  const results = Object.entries(RUNTIMES)
    .filter(([name]) => given.length === 0 || given.includes(name))
    .map(([name, runtime]) => tried(name, runtime))
  process.exitCode = results.every(Boolean) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/**
 * @param {string} name
 * @param {{ readonly version: string, readonly command: readonly string[] }} runtime
 */
function tried(name, { version, command }) {
  if (version !== '' && !brought(name, version)) {
    console.log(`${name} ${version}: skipped, npm cannot bring it here`)
    return true
  }
  const [program = '', ...parameters] = command
  const { status, stdout, stderr } = spawnSync(program, [...parameters, SMOKE, LIB], {
    cwd: folder,
    encoding: 'utf8',
    timeout: DEADLINE_MS,
  })
  const isGood = status === 0 && stdout.trim() === 'ok'
  console.log(`${name} ${version === '' ? process.version : version}: ${isGood ? 'ok' : `failed\n${stdout}${stderr}`}`)
  return isGood
}

/**
 * @param {string} name
 * @param {string} version
 */
function brought(name, version) {
  writeFileSync(path.join(folder, 'package.json'), '{"private":true}')
  const options = { cwd: folder, encoding: /** @type {const} */ ('utf8'), timeout: DEADLINE_MS }
  const installed = spawnSync('npm', ['install', '--no-audit', '--no-fund', `${name}@${version}`], options)
  return installed.status === 0
}
