/**
 * A merge function of your own: any deterministic `(old, next) => merged` converges, though it need not
 * commute. Here it is the seating of a theatre: the first who asks for a seat has it, and everybody else
 * is told so, also those who asked on the other side of a cut.
 *
 *     node examples/custom-merge/index.mjs
 *
 * Operations go through the function in one order on every replica. One that arrives late takes its
 * place in that order, and those behind it are merged again. `explain` says how it came about.
 */
import { isWarpError, openWarp } from 'warp-engine'
import { custom } from 'warp-engine/crdt'
import { memoryNetwork } from 'warp-engine/memory'

/** Who has which seat, and who has asked too late. */
const seating = custom(
  ({ taken, refused }, { seat, guest }) => {
    if (seat === undefined) throw new Error('which seat?')
    if (Object.hasOwn(taken, seat)) return { taken, refused: [...refused, `${guest} (${seat})`] }
    return { taken: { ...taken, [seat]: guest }, refused }
  },
  { initial: { taken: {}, refused: [] } },
)

const network = memoryNetwork()
const open = (name) => openWarp({ name, keys: { 'show:*': seating }, transports: [network.transport(name)] })
const [box, web] = await Promise.all([open('box office'), open('web')])

network.cut('box office', 'web')
const first = await box.set('show:1', { seat: 'A1', guest: 'Ada' })
await web.set('show:1', { seat: 'A1', guest: 'Bob' })
const last = await web.set('show:1', { seat: 'A2', guest: 'Cleo' })
console.log('on the web, while the network is cut:', await web.get('show:1'))

network.heal()
const acks = { replicas: 2, level: 'memory' }
await Promise.all([box.settled(first.dot, { acks }), web.settled(last.dot, { acks })]) // both have all
console.log('on the web, after the heal:', await web.get('show:1'))
const [there, here] = [await web.get('show:1'), await box.get('show:1')].map((value) => JSON.stringify(value))
console.log('the box office says the same:', there === here)

const { operations } = await web.explain('show:1')
for (const { operation, effect, concurrentWith } of operations) {
  const { seat, guest } = operation.payload
  console.log(
    `${guest} asked for ${seat}: ${effect}, concurrent with ${concurrentWith.length === 0 ? 'nobody' : 'the other side'}`,
  )
}

// A function that throws refuses the write, and nothing has happened.
await web.set('show:1', { guest: 'Dan' }).catch((error) => {
  if (!isWarpError(error, 'WARP_E_MERGE')) throw error
  console.log('refused:', error.code)
})
await Promise.all([box.close(), web.close()])
