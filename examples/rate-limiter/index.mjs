/**
 * A rate limiter that all servers share without a server of its own: so many requests for each user
 * and window, counted together.
 *
 *     node examples/rate-limiter/index.mjs
 *
 * To ask is a read from memory, to count is a write that nobody waits for. So a limit may be passed by
 * what is on its way between the servers, milliseconds' worth of it. Where not one may be too many,
 * take `boundedCounter`, as the stock of the shopping cart does.
 */
import { openWarp } from 'warp-engine'
import { counter } from 'warp-engine/crdt'
import { memoryNetwork } from 'warp-engine/memory'

const LIMIT = 5
const WINDOW_MS = 60_000

const network = memoryNetwork()
// A window is over when the next one is: then its counter goes by itself.
const keys = { 'rate:*': { strategy: counter(), ttlMs: 2 * WINDOW_MS } }
const open = (name) => openWarp({ name, keys, transports: [network.transport(name)] })
const [one, two] = await Promise.all([open('one'), open('two')])

/** Whether the user may do this now; counts it if so. */
function isAllowed(warp, user, nowMs = Date.now()) {
  const key = `rate:${user}:${Math.floor(nowMs / WINDOW_MS)}`
  if ((warp.peek(key) ?? 0) >= LIMIT) return false
  void warp.key(key).increment() // visible here at once
  return true
}

const nowMs = Date.now()
console.log(
  'at one:',
  [1, 2, 3].map(() => isAllowed(one, 'ada', nowMs)),
)
// What has been counted reaches the other one within milliseconds. To be sure of it here, count once more and wait.
const key = `rate:ada:${Math.floor(nowMs / WINDOW_MS)}`
await one
  .key(key)
  .with({ acks: { replicas: 2, level: 'memory' } })
  .increment(0)
console.log(
  'at two:',
  [4, 5, 6].map(() => isAllowed(two, 'ada', nowMs)),
)
console.log('somebody else:', isAllowed(two, 'bob', nowMs))
console.log('in the next window:', isAllowed(two, 'ada', nowMs + WINDOW_MS))
await Promise.all([one.close(), two.close()])
