/** connect-redis: sessions of Express are set, read, prolonged, listed and destroyed. */
import assert from 'node:assert/strict'
import { promisify } from 'node:util'
import { RedisStore } from 'connect-redis'
import { createClient } from 'redis'

const client = await createClient({ url: `redis://127.0.0.1:${process.env['PORT']}` }).connect()
const store = new RedisStore({ client, prefix: 'session:' })
const ask = (name, ...parameters) => promisify(store[name].bind(store))(...parameters)
await ask('clear')
const session = { cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000) }, user: 'ada' }
await ask('set', 'one', session)
await ask('set', 'two', { ...session, user: 'bob' })
assert.equal((await ask('get', 'one')).user, 'ada')
await ask('touch', 'one', session)
assert.equal(await ask('length'), 2)
assert.deepEqual((await ask('ids')).sort(), ['one', 'two'])
assert.equal((await ask('all')).length, 2)
await ask('destroy', 'one')
assert.equal(await ask('length'), 1)
client.destroy()
