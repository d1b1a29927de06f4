/**
 * Feature flags that every process reads from its own memory, and sees change at once.
 *
 *     node examples/feature-flags/index.mjs
 *
 * A flag is on for a share of the users; the same user always gets the same answer. When a flag
 * changes, whoever watches is told, on every replica. A process that starts has them all at once.
 */
import { createHash } from 'node:crypto'
import { openWarp } from 'warp-engine'
import { register } from 'warp-engine/crdt'
import { memoryNetwork } from 'warp-engine/memory'

const network = memoryNetwork()
const keys = { 'flag:*': register() }
const open = (name) => openWarp({ name, keys, transports: [network.transport(name)] })
/** A write settles when both replicas have it. */
const both = { acks: { replicas: 2, level: 'memory' } }
const [admin, shop] = await Promise.all([open('admin'), open('shop')])

/** Whether a flag is on for a user: a read from memory. */
function isOn(warp, flag, user) {
  const { share = 0 } = warp.peek(`flag:${flag}`) ?? {}
  return pointOf(`${flag} ${user}`) < share
}

/** A number from 0 to 1 that belongs to the text. */
function pointOf(text) {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
}

const users = Array.from({ length: 1000 }, (_, at) => `user-${at}`)
const countOf = (warp) => users.filter((user) => isOn(warp, 'new-checkout', user)).length

const changes = shop.watch('flag:*')
await admin.set('flag:new-checkout', { share: 0.1, by: 'ada' }, both)
for await (const { key, value } of changes) {
  console.log(`the shop is told: ${key} is on for ${value.share * 100} % of the users, says ${value.by}`)
  console.log(`at the shop it is on for ${countOf(shop)} of ${users.length}`)
  if (value.share === 1) break
  // Who had it keeps it when the share grows.
  const before = users.filter((user) => isOn(shop, 'new-checkout', user))
  await admin.set('flag:new-checkout', { share: value.share === 0.1 ? 0.5 : 1, by: 'ada' }, both)
  const after = new Set(users.filter((user) => isOn(admin, 'new-checkout', user)))
  console.log(
    'all who had it still have it:',
    before.every((user) => after.has(user)),
  )
}
await Promise.all([admin.close(), shop.close()])
