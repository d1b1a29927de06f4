/** How safe a write is when its promise settles: levels of the own log, and other replicas. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp, type Dot, type ReplicaAcks } from '../../adapters/node/index.ts'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { counter } from '../../crdt/counter.ts'
import { max } from '../../crdt/extremum.ts'
import { register } from '../../crdt/register.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import type { AckLevel, ReplicaAcknowledgements } from '../../src/store/write-road/acknowledgement.ts'
import { Writer } from '../../src/store/write-road/writer.ts'
import { closeAll } from '../support/close-all.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { ROOT } from '../support/tidy/source-tree.ts'
import { TestEngine } from '../engine/engine-fixture.ts'

const keys = { 'r:*': register<unknown>(), 'm:*': max<number>(), 'c:*': counter() } as const

/** Other replicas that hold what they are told to. */
class Others implements ReplicaAcknowledgements {
  readonly asked: { dot: Dot; acks: ReplicaAcks }[] = []
  #release: (() => void)[] = []

  settled(dot: Dot, acks: ReplicaAcks): Promise<AckLevel> {
    this.asked.push({ dot, acks })
    return new Promise((resolve) => this.#release.push(() => resolve(acks.level ?? 'logged')))
  }

  holdAll(): void {
    for (const release of this.#release.splice(0)) release()
  }
}

async function openWithOthers() {
  const replica = await TestEngine.open()
  const { store } = replica.engine
  const writer = new Writer(store, undefined)
  const others = new Others()
  writer.acknowledger.connect(others)
  const target = (key: string) => ({ key, keyspace: store.keyspaceOf(key), slot: store.keys.find(key) })
  const set = (key: string, value: unknown, options = {}) =>
    writer.verb(target(key), store.keyspaceOf(key).strategy.verbs.set, [value], options)
  return { replica, writer, others, target, set }
}

async function isPending(promise: Promise<unknown>, replica: TestEngine): Promise<boolean> {
  let isOver = false
  promise.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  await replica.env.advance(1000)
  return !isOver
}

test('write returns the dot at once, and the value can be read', async () => {
  const warp = await openWarp({ keys, env: virtualEnv() })
  expect(warp.write('r:1', 'a')).toEqual({ replica: warp.replica, sequence: 1 })
  expect(warp.peek('r:1')).toBe('a')
  expect(warp.key('r:1').write('b')).toEqual({ replica: warp.replica, sequence: 2 })
  expect(warp.peek('r:1')).toBe('b')
  expect(warp.write('m:1', 5)).toEqual({ replica: warp.replica, sequence: 3 })
  expect(warp.write('m:1', 4)).toBeUndefined()
  expect(() => warp.write('c:1' as never, 1)).toThrow(expect.objectContaining({ code: 'WARP_E_MODE' }))
  expect(() => warp.write('x' as never, 1)).toThrow(expect.objectContaining({ code: 'WARP_E_UNREGISTERED_KEY' }))
  await warp.close()
  expect(() => warp.write('r:1', 'c')).toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }))
})

test('settled waits until an operation that was written is as safe as asked', async () => {
  const warp = await openWarp({ keys, log: fileLog({ path: temporaryFolder() }) })
  const dot = warp.write('r:1', 'a') as Dot
  expect(await warp.settled(dot)).toEqual({ ack: 'logged' })
  expect(await warp.settled(dot, 'durable')).toEqual({ ack: 'durable' })
  expect(await warp.settled(dot, { ack: 'memory' })).toEqual({ ack: 'memory' })
  await warp.close()
})

test('settled takes the name that an operation was given, also when it has been issued again', async () => {
  const { replica, writer, others, set } = await openWithOthers()
  await set('reg:1', 'a')
  const first = { replica: replica.engine.replica, sequence: 1 }
  replica.install(await TestEngine.open())
  expect(replica.engine.replica).not.toBe(first.replica)
  const settled = writer.settled(first, { acks: { replicas: 2 } })
  expect(others.asked.map(({ dot }) => dot)).toEqual([{ replica: replica.engine.replica, sequence: 1 }])
  others.holdAll()
  expect(await settled).toMatchObject({ acks: { replicas: 2 } })
})

test('settled takes the own dots of this process, and refuses those of others', async () => {
  const { replica, writer, others, set } = await openWithOthers()
  const own = { replica: replica.engine.replica, sequence: 1 }
  await set('reg:1', 'a')
  await replica.write('own:1', 'increment', [1])
  const local = { replica: replica.engine.identity.writers.local.replica, sequence: 1 }
  expect(await writer.settled(own, {})).toEqual({ ack: 'memory' })
  expect(await writer.settled(local, {})).toEqual({ ack: 'memory' })
  replica.engine.identity.takeNew()
  expect(await writer.settled(own, {})).toEqual({ ack: 'memory' })
  await expect(writer.settled(own, { acks: { replicas: 2 } })).rejects.toMatchObject({ code: 'WARP_E_IDENTITY_CLONED' })
  await expect(writer.settled(local, { acks: { replicas: 2 } })).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  const foreign = { replica: '0123456789abcdef' as ReplicaId, sequence: 1 }
  for (const dot of [foreign, { ...own, sequence: 2 }, { ...own, sequence: 0 }, { ...own, sequence: 0.5 }]) {
    await expect(writer.settled(dot, {})).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  }
  expect(others.asked).toEqual([])
  await replica.close()
})

test('a write with acks settles when the others hold it, and not before', async () => {
  const { replica, writer, others, set } = await openWithOthers()
  const acks = { replicas: 3, zones: 2 }
  const written = set('reg:1', 'a', { acks })
  expect(replica.get('reg:1')).toBe('a')
  expect(await isPending(written, replica)).toBe(true)
  const dot = { replica: replica.engine.replica, sequence: 1 }
  expect(others.asked).toEqual([{ dot, acks }])
  others.holdAll()
  const reached = { replicas: 3, zones: 2, level: 'logged', countSelf: true }
  expect(await written).toEqual({ dot, version: 1, ack: 'memory', acks: reached })
  const again = writer.settled(dot, { acks: { replicas: 2, countSelf: false, level: 'durable' } })
  expect(await isPending(again, replica)).toBe(true)
  others.holdAll()
  expect(await again).toEqual({
    ack: 'memory',
    acks: { replicas: 2, zones: 1, level: 'durable', countSelf: false },
  })
  await replica.close()
})

test('what had nothing to write waits for the newest own operation', async () => {
  const { replica, writer, others, target, set } = await openWithOthers()
  const acks = { replicas: 2 }
  expect(await writer.delete(target('reg:1'), { acks })).toEqual({ dot: undefined, version: 0, ack: 'memory' })
  await set('reg:2', 'a')
  const deleted = writer.delete(target('reg:1'), { acks })
  expect(await isPending(deleted, replica)).toBe(true)
  expect(others.asked.map(({ dot }) => dot.sequence)).toEqual([1])
  others.holdAll()
  expect(await deleted).toMatchObject({ dot: undefined, acks: { replicas: 2 } })
  await replica.close()
})

test('giving up the wait is indeterminate: the operation stays', async () => {
  const { replica, set } = await openWithOthers()
  const controller = new AbortController()
  const written = set('reg:1', 'a', { acks: { replicas: 2 }, signal: controller.signal })
  controller.abort()
  await expect(written).rejects.toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'indeterminate' })
  expect(replica.get('reg:1')).toBe('a')
  await replica.close()
})

test('acks that can never be reached are refused before anything is written', async () => {
  const { replica, set, target, writer } = await openWithOthers()
  const refused = [
    { replicas: 0 },
    { replicas: 1.5 },
    { replicas: 2, zones: 3 },
    { replicas: 2, zones: 0 },
    { replicas: 2, level: 'safe' },
    { replicas: 2, countSelf: 'yes' },
    { replicas: 2, replica: 3 },
    { replicas: 2, timeoutMs: 0 },
    { replicas: 2, timeoutMs: 86_400_001 },
    { replicas: 2, timeoutMs: Number.NaN },
    // This replica is to count, and its log is in memory.
    { replicas: 2, level: 'durable' },
  ]
  for (const acks of refused) {
    await expect(set('reg:1', 'a', { acks })).rejects.toMatchObject({ code: 'WARP_E_CONFIG', outcome: 'failed' })
  }
  const { increment } = target('own:1').keyspace.strategy.verbs
  await expect(writer.verb(target('own:1'), increment, [1], { acks: { replicas: 2 } })).rejects.toMatchObject({
    code: 'WARP_E_MODE',
  })
  expect(replica.engine.operationsCount).toBe(0)
  await replica.close()
  const alone = await openWarp({ keys, env: virtualEnv() })
  const refusal = await alone.set('r:1', 1, { acks: { replicas: 2 } }).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'WARP_E_CONFIG' })
  expect((refusal as Error).message).toContain('transports')
  await expect(alone.set('r:1', 1, { acks: { replicas: 1, countSelf: false } })).rejects.toMatchObject({
    code: 'WARP_E_CONFIG',
  })
  expect(await alone.get('r:1')).toBeUndefined()
  expect(await alone.set('r:1', 1, { acks: { replicas: 1 } })).toMatchObject({
    acks: { replicas: 1, zones: 1, countSelf: true },
  })
  await alone.close()
})

test('once close() was called nothing is written any more, while it is still closing', async () => {
  const warp = await openWarp({ keys: { 'r:*': register<string>() }, env: virtualEnv() })
  const handle = warp.key('r:1')
  const closing = warp.close()
  const refused = { code: 'WARP_E_CLOSED' }
  await expect(warp.set('r:1', 'late')).rejects.toMatchObject(refused)
  await expect(handle.set('late')).rejects.toMatchObject(refused)
  await expect(warp.setMany([['r:1', 'late']])).rejects.toMatchObject(refused)
  await expect(warp.delete('r:1')).rejects.toMatchObject(refused)
  expect(() => warp.write('r:1', 'late')).toThrow(expect.objectContaining(refused))
  await closing
})

test('a process that waits for other replicas stays alive until it is told, also at the top level', async () => {
  const program = `
    import { openWarp } from '${ROOT}/dist/adapters/node/index.js'
    import { memoryNetwork } from '${ROOT}/dist/adapters/memory/index.js'
    import { register } from '${ROOT}/dist/crdt/index.js'
    const [network, keys] = [memoryNetwork(), { 'o:*': register() }]
    const [a] = await Promise.all(['a', 'b'].map((name) => openWarp({ keys, transports: [network.transport(name)] })))
    console.log((await a.set('o:1', 'x', { acks: { replicas: 2 } })).acks.level)
    const late = await a.set('o:1', 'y', { acks: { replicas: 3, timeoutMs: 50 } }).catch(({ code }) => code)
    console.log(late)`
  const file = path.join(temporaryFolder(), 'program.mjs')
  writeFileSync(file, program)
  const { stdout } = await promisify(execFile)(process.execPath, [file])
  expect(stdout).toBe('memory\nWARP_E_QUORUM\n')
})

test('who waits for other replicas keeps the process alive for as long as that takes', async () => {
  const env = virtualEnv()
  let heldCount = 0
  const stayAlive = (): (() => void) => {
    heldCount++
    return () => heldCount--
  }
  const network = memoryNetwork({ seed: 1, env })
  const warp = await openWarp({ keys, env: { ...env, stayAlive }, transports: [network.transport('a')] })
  const acks = { replicas: 2, timeoutMs: 1000 }
  const outcomes = Promise.allSettled([warp.set('r:1', 'a', { acks }), warp.set('r:1', 'b', { acks })])
  expect(heldCount).toBe(1)
  await env.advance(2000)
  expect(await outcomes).toMatchObject([{ reason: { code: 'WARP_E_QUORUM' } }, { reason: { code: 'WARP_E_QUORUM' } }])
  expect(heldCount).toBe(0)
  await closeAll(env, [warp])
})
