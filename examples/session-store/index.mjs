/**
 * Sessions of Express on two servers: whoever logs in at one of them is known to the other, and a
 * log-out holds at both.
 *
 *     node examples/session-store/index.mjs
 *
 * Both servers are in this process, over a network in memory. In life each is a process of its own, with
 * `meshPreset` (docs/presets.md), and the rest of this file.
 */
import { once } from 'node:events'
import express from 'express'
import session from 'express-session'
import { openWarp } from 'warp-engine'
import { register } from 'warp-engine/crdt'
import { WarpSessionStore } from 'warp-engine/express-session'
import { memoryNetwork } from 'warp-engine/memory'

const HOUR_MS = 3_600_000
const network = memoryNetwork()

/** A replica, and an application with its sessions in it. */
async function startServer(name) {
  const warp = await openWarp({
    name,
    keys: {
      // A session lives for an hour from the last visit, on every replica.
      'session:*': { strategy: register(), ttlMs: HOUR_MS, ttl: 'sliding', sliding: 'replicas' },
    },
    transports: [network.transport(name)],
  })
  // The response waits until both replicas have the session: the next request may go to the other one.
  const store = new WarpSessionStore(warp, 'session:*', { acks: { replicas: 2, level: 'memory', timeoutMs: 5_000 } })
  const app = express()
  const cookie = { maxAge: HOUR_MS }
  app.use(session({ store, secret: 'change me', resave: false, saveUninitialized: false, rolling: true, cookie }))
  app.get('/log-in/:user', (request, response) => {
    request.session.user = request.params.user
    response.send(`${name}: welcome, ${request.params.user}`)
  })
  app.get('/', (request, response) => {
    response.send(`${name}: ${request.session.user === undefined ? 'who are you?' : `hello ${request.session.user}`}`)
  })
  app.get('/log-out', (request, response) => {
    request.session.destroy(() => response.send(`${name}: good-bye`))
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { warp, server, url: `http://127.0.0.1:${server.address().port}` }
}

const [one, two] = await Promise.all([startServer('one'), startServer('two')])
while (one.warp.peers().every(({ state }) => state !== 'up')) await new Promise(setImmediate)

// A browser, behind a load balancer that sends each request wherever it likes.
let cookie = ''
async function visit(url) {
  const response = await fetch(url, { headers: { cookie } })
  cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
  console.log(await response.text())
}
await visit(`${one.url}/`)
await visit(`${one.url}/log-in/ada`)
await visit(`${two.url}/`)
await visit(`${two.url}/log-out`)
await visit(`${one.url}/`)

for (const { server, warp } of [one, two]) {
  server.closeAllConnections()
  server.close()
  await warp.close()
}
