/** The sidecar of the bench `resp` in a process of its own, as `warp start --resp` has it. Prints its port. */
import { openWarp } from '../adapters/node/index.ts'
import { respServer } from '../adapters/resp/index.ts'
import { redis } from '../crdt/index.ts'

const warp = await openWarp({ keys: { '*': { strategy: redis(), retain: 'latest' } } })
const server = await respServer(warp, { port: 0 })
console.log(server.port)
