/** Channels over real brokers: what is sent once comes once, large messages too, and what is kept is replayed. */
import { afterEach, expect, test } from 'vitest'
import { natsTransport } from '../../../adapters/nats/index.ts'
import { openWarp, type Transport, type Warp } from '../../../adapters/node/index.ts'
import { redisTransport } from '../../../adapters/redis/index.ts'
import { register } from '../../../crdt/register.ts'
import { listen } from '../../channels/world.ts'
import { describeOn } from '../../support/servers.ts'
import { until } from './log-client.ts'

const keys = { 'user:*': register<string>() } as const
const channels = { 'kept:*': { replay: { count: 2 } } } as const
const opened: Warp<typeof keys>[] = []
let count = 0

afterEach(async () => {
  for (const warp of opened.splice(0)) await warp.close()
})

function suite(transport: (name: string) => readonly Transport[]): void {
  const open = async (name: string): Promise<Warp<typeof keys>> => {
    const warp = await openWarp({ keys, channels, transports: transport(name) })
    opened.push(warp)
    return warp
  }

  test('messages come once and in order, of any size, and kept ones to who comes late', async () => {
    const name = `channels.${process.pid}.${++count}`
    const [a, b] = [await open(name), await open(name)]
    await until(() => [a, b].every((warp) => warp.peers().some(({ state }) => state === 'up')))
    const heard = listen(b.channel('chat:*').subscribe())
    const large = 'x'.repeat(900_000)
    for (let i = 0; i < 50; i++) await a.channel('chat:1').publish(i === 25 ? large : i)
    await until(() => heard.shown.length === 50)
    expect(heard.shown).toEqual(Array.from({ length: 50 }, (_, i) => (i === 25 ? large : i)))
    for (let i = 1; i <= 3; i++) await a.channel('kept:1').publish(i)
    const c = await open(name)
    await until(() => c.health().ready)
    const replayed = listen(c.channel('kept:1').subscribe({ replay: true }))
    await until(() => replayed.shown.length >= 2)
    expect(replayed.shown).toEqual([2, 3])
    await b.channel('kept:1').publish(4)
    await until(() => replayed.shown.length === 3)
    expect(heard.state()).toBe('running')
  })
}

describeOn('nats', 'channels over NATS', (url) => {
  suite((subject) => [natsTransport({ servers: url, subject })])
})

describeOn('valkey', 'channels over Redis', (url) => {
  suite((prefix) => [redisTransport({ url, prefix })])
})
