/**
 * A cart that is changed in two places at once, and a stock that is never oversold.
 *
 *     node examples/shopping-cart/index.mjs
 *
 * A cart maps an article to a counter: who adds one more of it on the telephone, and another one on the
 * laptop, has two more. The stock is a bounded counter: each replica sells from its own share, so that
 * nobody has to ask, and no cut of the network can sell what is not there.
 */
import { isWarpError, openWarp } from 'warp-engine'
import { boundedCounter, counter, map } from 'warp-engine/crdt'
import { memoryNetwork } from 'warp-engine/memory'

const network = memoryNetwork()
const keys = { 'cart:*': map(counter()), 'stock:*': boundedCounter({ min: 0 }) }
const open = (name) => openWarp({ name, keys, transports: [network.transport(name)] })
const [east, west] = await Promise.all([open('east'), open('west')])

/** A write settles when both replicas have it. */
const both = { acks: { replicas: 2, level: 'memory' } }

// Ten apples come in, at the east. It hands four of them to the west.
await east.key('stock:apples').with(both).increment(10)
await east.key('stock:apples').with(both).transfer(west.replica, 4)
await east.key('cart:ada').with(both).update('apples', 'increment', 1)

network.cut('east', 'west')
console.log('the network is cut; Ada fills her cart on two devices')
await east.key('cart:ada').update('apples', 'increment', 2)
await west.key('cart:ada').update('apples', 'increment', 3)
await west.key('cart:ada').update('pears', 'increment', 1)

/** Sells, or says why not. */
async function sell(warp, amount) {
  try {
    await warp.key('stock:apples').decrement(amount)
    console.log(`${warp.name} sells ${amount} apples`)
  } catch (error) {
    if (!isWarpError(error, 'WARP_E_BOUND')) throw error
    const left = await warp.key('stock:apples').rights(warp.replica)
    console.log(`${warp.name} cannot sell ${amount} apples: it may sell ${left}`)
  }
}
await sell(east, 6)
await sell(west, 5)
await sell(west, 3)

network.heal()
// What each writes now reaches the other behind all that it wrote before.
await Promise.all([
  east.key('cart:ada').with(both).update('bread', 'increment', 1),
  west.key('cart:ada').with(both).update('tea', 'increment', 1),
])
console.log(
  'after the heal, at one:',
  await east.get('cart:ada'),
  `and ${await east.get('stock:apples')} apple in stock`,
)
console.log('and at the other:', await west.get('cart:ada'), `and ${await west.get('stock:apples')} apple in stock`)
await Promise.all([east.close(), west.close()])
