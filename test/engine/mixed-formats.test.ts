/** Engines of two formats on disks of their own, over a network: format 2, and a format 3 that is pretended. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { counter, register, set } from '../../crdt/index.ts'
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import type { WarpEvent } from '../../src/api/public.ts'
import { listStored } from '../../src/log/opening/stored-files.ts'
import { openWarpOn } from '../../src/warp.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const keys = { 'visits:*': counter(), 'cart:*': set<string>(), 'user:*': register<string>() }

function cluster(seed: number) {
  const env = virtualEnv({ seed })
  const network = memoryNetwork({ seed, env, loss: 0.1, repeat: 0.1, reorder: 0.2, delayMs: 5 })
  const disks = new Map<string, FaultyFiles>()
  const open = async (name: string, format: number) => {
    const disk = disks.get(name) ?? faultyFiles({ seed: `${seed} ${name}`, home: name })
    disks.set(name, disk)
    const events: WarpEvent[] = []
    const warp = await openWarpOn(
      { env: env.fork({ label: `${name} ${format}` }), format, segmentBytes: 65_536, parts: ALL_PARTS },
      { keys, log: disk.store(), transports: [network.transport(name)], observe: (event) => events.push(event) },
    )
    return { name, warp, events }
  }
  /** The process dies, and another build takes its folder. */
  const reopen = async (member: Awaited<ReturnType<typeof open>>, format: number) => {
    await closeAll(env, [member.warp])
    disks.set(member.name, disks.get(member.name)!.kill())
    return open(member.name, format)
  }
  return { env, network, disks, open, reopen }
}

test.each([1, 2, 3])(
  'a cluster goes from 2 to 3, one by one, and back before the last one: nothing is lost (seed %i)',
  async (seed) => {
    const { env, open, reopen } = cluster(seed)
    const members = [await open('a', 2), await open('b', 2), await open('c', 2)]
    await env.advance(3000)
    let count = 0
    const write = async (): Promise<void> => {
      for (const { warp, name } of members) {
        for (let i = 0; i < 5; i++) await warp.key('visits:home').increment(1)
        await warp.key('cart:1').add(`${name} ${count}`)
        count++
      }
      await env.advance(15_000)
      for (const { warp } of members) {
        expect(await warp.get('visits:home')).toBe(count * 5)
        expect(await warp.get('cart:1')).toHaveProperty('size', count)
      }
    }
    await write()
    for (const [at, format] of [
      [0, 3],
      [1, 3],
      [1, 2],
      [0, 2],
      [0, 3],
      [1, 3],
    ] as const) {
      members[at] = await reopen(members[at]!, format)
      await write()
      expect(members.flatMap(({ events }) => events.map(({ kind }) => kind))).not.toContain('format:raised')
    }
    members[2] = await reopen(members[2]!, 3)
    await write()
    for (const { events } of members) expect(events.map(({ kind }) => kind)).toContain('format:raised')
    await write()
    // From now on there is no way back: a build of format 2 refuses the folder and leaves it as it is.
    await expect(reopen(members[0]!, 2)).rejects.toMatchObject({ code: 'WARP_E_LOG_VERSION' })
    members[0] = await open('a', 3)
    await write()
    // A newcomer of format 2 is refused on both sides.
    const old = await open('old', 2)
    await env.advance(20_000)
    expect(old.events).toContainEqual(expect.objectContaining({ kind: 'format:refused', side: 'us' }))
    expect(members[0].events).toContainEqual(expect.objectContaining({ kind: 'format:refused', side: 'peer' }))
    expect(await old.warp.get('visits:home')).toBeUndefined()
    await write()
    await closeAll(
      env,
      [...members, old].map(({ warp }) => warp),
    )
  },
)

test('an export of 3 is imported once all members read 3, and until then refused with who holds it back', async () => {
  const { env, open, reopen } = cluster(5)
  const alone = await openWarpOn({ env, format: 3, parts: ALL_PARTS }, { keys })
  await alone.key('cart:1').add('of 3')
  let text = ''
  for await (const piece of alone.export()) text += piece
  expect(text).toContain('"version":3')
  const pieces = async function* (of: string) {
    yield of
  }
  const members = [await open('a', 3), await open('b', 2)]
  await env.advance(5000)
  await expect(members[0]!.warp.import(pieces(text))).rejects.toMatchObject({
    code: 'WARP_E_PROTOCOL',
    message: expect.stringMatching(
      /needs format 3, and this cluster writes format 2: held back by .*upgrade it$/,
    ) as string,
  })
  const disguised = text.replace('"version":3', '"version":2')
  await expect(members[0]!.warp.import(pieces(disguised))).rejects.toMatchObject({ code: 'WARP_E_PROTOCOL' })
  await members[1]!.warp.key('cart:1').add('of 2')
  await env.advance(5000)
  expect(await members[0]!.warp.get('cart:1')).toEqual(new Set(['of 2']))
  members[1] = await reopen(members[1]!, 3)
  await env.advance(15_000)
  await members[0]!.warp.import(pieces(text))
  await env.advance(5000)
  for (const { warp } of members) {
    expect(await warp.get('cart:1')).toEqual(new Set(['of 2', 'of 3']))
    await warp.close()
  }
  await alone.close()
})

test('a folder in which nothing was written in 3 opens in a build of 2, closed after the format was raised', async () => {
  const { env, open, reopen } = cluster(4)
  const members = [await open('a', 2), await open('b', 3)]
  await env.advance(3000)
  for (let i = 0; i < 50; i++) await members[1]!.warp.key('visits:home').increment(1)
  await env.advance(3000)
  members[0] = await reopen(members[0]!, 3)
  await env.advance(15_000)
  for (const { events } of members) expect(events.map(({ kind }) => kind)).toContain('format:raised')
  // Closing writes a checkpoint.
  for (const at of [0, 1]) members[at] = await reopen(members[at]!, 2)
  await env.advance(3000)
  for (const { warp } of members) {
    expect(await warp.get('visits:home')).toBe(50)
  }
  await closeAll(
    env,
    members.map(({ warp }) => warp),
  )
})

test('what is written after the format was raised lies in a segment of its own, of that format', async () => {
  const { env, open, disks } = cluster(6)
  const members = [await open('a', 3), await open('b', 3)]
  const formatsOf = async (name: string): Promise<number[]> => {
    disks.set(name, disks.get(name)!.kill())
    const files = await disks.get(name)!.store().open()
    return listStored(files, 3).segments.map(({ header }) => header?.format ?? 0)
  }
  await env.advance(15_000)
  for (const { warp, events } of members) {
    expect(events.map(({ kind }) => kind)).toContain('format:raised')
    await warp.key('visits:home').increment(1)
  }
  await env.advance(3000)
  // Before anything is closed: closing begins a segment of the later format by itself.
  for (const name of ['a', 'b']) expect(await formatsOf(name)).toEqual([2, 3])
  const closed = Promise.allSettled(members.map(({ warp }) => warp.close()))
  await env.advance(5000)
  for (const { reason } of (await closed) as PromiseRejectedResult[])
    expect(reason).toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
})
