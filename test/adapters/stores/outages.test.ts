/**
 * A server that stands still, and one that is killed and started again, under load: each has servers of its own. How
 * long reads take meanwhile is measured by `npm run bench -- store-outage`.
 */
import { afterEach, expect, test } from 'vitest'
import { openWarp, type WarpEvent } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { PrivateServer } from '../../support/private-server.ts'
import { describeOn } from '../../support/servers.ts'
import { storeOn, type StoreServer } from '../../support/store-on.ts'

const OUTAGES = [
  ['stands still', (server: PrivateServer) => server.stand(), (server: PrivateServer) => server.goOn()],
  [
    'is killed and started again',
    (server: PrivateServer) => server.kill(),
    (server: PrivateServer) => server.startAgain(),
  ],
] as const

const KEYS_COUNT = 200
const ROUNDS = 10
const CALLERS = 20

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

function replicaOn(name: StoreServer, url: string) {
  const { store, close } = storeOn(name, url)
  open.push({ close })
  const events: WarpEvent[] = []
  const keys = { 'k:*': { strategy: register<string>(), store, storeTimeoutMs: 300, hardTimeoutMs: 2000 } } as const
  return openWarp({ keys, observe: (event) => void events.push(event) }).then((warp) => {
    open.push(warp)
    return { warp, events }
  })
}

describeEach('postgres')
describeEach('valkey')

function describeEach(name: StoreServer): void {
  describeOn(name, `${name} under load`, () => {
    test.each(OUTAGES)('that %s: copies are read, loads are bounded, nothing is lost', async (_, begin, end) => {
      const unhandled: unknown[] = []
      const note = (error: unknown): void => void unhandled.push(error)
      process.on('unhandledRejection', note)
      open.push({ close: () => Promise.resolve(void process.off('unhandledRejection', note)) })
      const server = await PrivateServer.start(name)
      open.push(server)
      const { warp, events } = await replicaOn(name, server.url)
      const unstored = (): number => warp.stats().stores?.[0]?.unstoredKeysCount ?? 0
      const keys = Array.from({ length: KEYS_COUNT }, (_, i) => `k:${i}` as const)
      for (const key of keys) await warp.set(key, 'before')
      await until(() => unstored() === 0)

      await begin(server)
      for (let round = 0; round < ROUNDS; round++) {
        for (const [i, key] of keys.entries()) {
          if (i % 2 === 0) await warp.set(key, `in round ${round}`)
          expect(await warp.get(key)).toBe(i % 2 === 0 ? `in round ${round}` : 'before')
        }
      }
      const made = await Promise.all(
        Array.from({ length: CALLERS }, (_, i) => warp.getOrSet(`k:made ${i}`, () => `made ${i}`)),
      )
      expect(made).toEqual(Array.from({ length: CALLERS }, (_, i) => `made ${i}`))
      await expect(warp.get('k:unknown')).rejects.toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^WARP_E_LOAD/) }),
      )
      await until(() => events.some(({ kind }) => kind === 'primary:failing'))
      // However often it was written, a key waits once, or twice while it is also on its way.
      expect(unstored()).toBeLessThanOrEqual(2 * (KEYS_COUNT / 2 + CALLERS))

      await end(server)
      await until(() => unstored() === 0)
      expect(events.map(({ kind }) => kind)).toContain('primary:recovered')
      expect(events.filter(({ kind }) => kind === 'primary:rejected')).toEqual([])
      const { warp: another } = await replicaOn(name, server.url)
      for (const [i, key] of keys.entries())
        expect(await another.get(key)).toBe(i % 2 === 0 ? `in round ${ROUNDS - 1}` : 'before')
      for (let i = 0; i < CALLERS; i++) expect(await another.get(`k:made ${i}`)).toBe(`made ${i}`)
      expect(unhandled).toEqual([])
    })
  })
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20))
}
