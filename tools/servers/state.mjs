/** What is running, in a file: `start` and `stop` are different processes, and tests look as well. */
import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { HOME } from './cache.mjs'

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {number} [port]
 * @property {number} [pid] - absent where nothing runs: a library
 * @property {string} [folder] - data and logs; goes when the server is stopped
 * @property {readonly Server[]} [nodes] - of a cluster, whose folder holds theirs
 */

const STATE = path.join(HOME, 'running.json')
const STEP_MS = 50
const READY_MS = 60_000
const STOP_MS = 10_000

/** @returns {Record<string, Server>} */
export function readState() {
  try {
    return JSON.parse(readFileSync(STATE, 'utf8'))
  } catch {
    return {}
  }
}

/** @param {Record<string, Server>} state */
export function writeState(state) {
  mkdirSync(HOME, { recursive: true })
  writeFileSync(`${STATE}.part`, JSON.stringify(state, undefined, 2))
  renameSync(`${STATE}.part`, STATE)
}

/**
 * Another process may have got the number after a restart of the machine: ours work in their folder.
 *
 * @param {Server} server
 */
export function isRunning({ url, pid, folder, nodes }) {
  if (nodes !== undefined) return nodes.every(isRunning)
  if (pid === undefined) return existsSync(url)
  try {
    process.kill(pid, 0)
    return !existsSync('/proc') || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder ?? '')
  } catch {
    return false
  }
}

/** @param {Server} server */
export async function stopServer(server) {
  const { pid, folder, nodes = [] } = server
  await Promise.all(nodes.map(stopServer))
  if (pid !== undefined && isRunning(server)) process.kill(pid, 'SIGTERM')
  for (let waited = 0; pid !== undefined && isRunning(server); waited += STEP_MS) {
    if (waited === STOP_MS) process.kill(pid, 'SIGKILL')
    await pause(STEP_MS)
  }
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
}

/**
 * A folder for the data of one run.
 *
 * @param {string} name
 */
export function dataFolder(name) {
  return mkdtempSync(path.join(tmpdir(), `warp-${name}-`))
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/**
 * Starts a server that goes on when this process ends, and waits until it answers.
 *
 * @param {object} how
 * @param {string} how.program
 * @param {readonly string[]} how.parameters
 * @param {string} how.folder
 * @param {import('node:child_process').SpawnOptions} [how.options]
 * @param {() => Promise<boolean>} how.isReady
 * @returns {Promise<number>} its process id
 */
export async function launch({ program, parameters, folder, options = {}, isReady }) {
  const output = openSync(path.join(folder, 'output.log'), 'a')
  const child = spawn(program, parameters, { ...options, detached: true, stdio: ['ignore', output, output] })
  let exit = ''
  child.on('exit', (code, signal) => (exit = `it ended with ${code ?? signal}`))
  child.on('error', (error) => (exit = error.message))
  await until(isReady, (isLate) => {
    if (exit === '' && !isLate) return undefined
    return `${exit === '' ? 'it does not answer' : exit}: ${lastLines(folder)}`
  })
  child.unref()
  if (child.pid === undefined) throw new Error('it has no process')
  return child.pid
}

/**
 * Whether `request`, sent to the port, is answered by something that begins with `answer`. Without
 * a request the server speaks first.
 *
 * @param {number} port
 * @param {{ request?: string, answer?: string }} dialogue
 * @returns {Promise<boolean>}
 */
export function answers(port, { request, answer = '' }) {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    const end = (/** @type {boolean} */ result) => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(1000, () => end(false))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
    socket.on('connect', () => (request === undefined ? undefined : socket.write(request)))
    socket.on('data', (bytes) => end(bytes.toString('latin1').startsWith(answer)))
  })
}

/**
 * Asks again and again, until the answer is yes.
 *
 * @param {() => Promise<boolean>} ask
 * @param {(isLate: boolean) => string | undefined} problem - ends the wait
 */
export async function until(ask, problem) {
  for (let waited = 0; !(await ask()); waited += STEP_MS) {
    const what = problem(waited >= READY_MS)
    if (what !== undefined) throw new Error(what)
    await pause(STEP_MS)
  }
}

/** @param {string} folder */
function lastLines(folder) {
  return readFileSync(path.join(folder, 'output.log'), 'utf8').trim().split('\n').slice(-5).join(' | ')
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
