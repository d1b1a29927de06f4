/**
 * Is the replica in this container there, and ready? Asks its port for clients of Redis, by the password in
 * WARP_RESP_PASSWORD; ends with 0 if so, and with 1 and a reason otherwise.
 *
 *     node probe.mjs live|ready [port]
 */
import { connect } from 'node:net'

const DEADLINE_MS = 4000
const [what = 'live', port = '6379'] = process.argv.slice(2)
if (what !== 'live' && what !== 'ready') throw new Error(`probe: ask for live or ready, not ${what}`)
const password = process.env['WARP_RESP_PASSWORD']

const words = [...(password === undefined ? [] : [['AUTH', password]]), ['INFO', 'warp'], ['QUIT']]
const socket = connect({ host: '127.0.0.1', port: Number(port) })
let said = ''
socket.on('connect', () => socket.write(words.map(request).join('')))
socket.on('data', (chunk) => (said += chunk.toString('latin1')))
socket.on('close', () => end(judge()))
socket.on('error', (error) => end(error.message))
setTimeout(() => end(`no answer within ${DEADLINE_MS} ms`), DEADLINE_MS)

/** @param {readonly string[]} request */
function request(request) {
  return `*${request.length}\r\n${request.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

/** Why not; empty if it is. */
function judge() {
  const isReady = /warp_ready:(\d)/.exec(said)?.[1]
  if (isReady === undefined) return said.split('\r\n')[0] || 'the connection was closed'
  return what === 'ready' && isReady === '0' ? 'it has not caught up' : ''
}

/** @param {string} reason */
function end(reason) {
  if (reason !== '') console.error(reason)
  process.exit(reason === '' ? 0 : 1)
}
