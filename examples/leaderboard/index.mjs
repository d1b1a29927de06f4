/**
 * A leaderboard: the best result of each player, and a table of the best that is never sorted anew.
 *
 *     node examples/leaderboard/index.mjs
 *
 * A result is `max`: whatever arrives in whatever order, the greatest counts, on every replica alike.
 * The table is a projection: a state of your own, kept up to date by the operations as they come.
 */
import { openWarp } from 'warp-engine'
import { max } from 'warp-engine/crdt'
import { memoryNetwork } from 'warp-engine/memory'

const SHOWN = 3
const network = memoryNetwork()
const keys = { 'best:*': max() }
const open = (name) => openWarp({ name, keys, transports: [network.transport(name)] })
const [east, west] = await Promise.all([open('east'), open('west')])

/** The best players, best first. A player who falls out of the table may come back with the next result. */
const table = {
  name: 'table',
  keys: 'best:*',
  initial: () => [],
  apply(best, { key, value }) {
    const player = key.slice('best:'.length)
    const others = best.filter((one) => one.player !== player)
    const rank = others.findIndex((one) => one.points < value || (one.points === value && one.player > player))
    others.splice(rank < 0 ? others.length : rank, 0, { player, points: value })
    return others.slice(0, SHOWN)
  },
}
const [inTheEast, inTheWest] = await Promise.all([east.project(table), west.project(table)])

network.cut('east', 'west')
await east.set('best:ada', 70)
await east.set('best:bob', 55)
await east.set('best:ada', 40) // a worse day changes nothing
await west.set('best:ada', 90)
await west.set('best:cleo', 60)
console.log('cut off, the east has', inTheEast.state)

network.heal()
// A write that both have; and with it what its writer wrote before.
const both = { acks: { replicas: 2, level: 'memory' } }
await Promise.all([east.set('best:eve', 20, both), west.set('best:dan', 10, both)])
console.log('after the heal, the east has', inTheEast.state)
console.log('the west has the same:', JSON.stringify(inTheWest.state) === JSON.stringify(inTheEast.state))
await Promise.all([east.close(), west.close()])
