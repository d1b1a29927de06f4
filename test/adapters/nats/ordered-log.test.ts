/** What JetStream does to an ordered log behind everybody's back, on a real server. */
import { jetstreamManager, type JetStreamManager, type StreamConfig } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { natsOrderedLog, type NatsOrderedLogOptions } from '../../../adapters/nats/index.ts'
import type { WarpError } from '../../../src/index.ts'
import { describeOn } from '../../support/servers.ts'
import { LogClient, until } from '../broker/log-client.ts'

let count = 0

describeOn('nats', 'an ordered log in JetStream', (url) => {
  let nats: NatsConnection
  let manager: JetStreamManager
  let stream: string
  const clients: LogClient[] = []

  beforeAll(async () => {
    nats = await connect({ servers: url })
    manager = await jetstreamManager(nats)
  })
  afterAll(() => nats.close())
  beforeEach(() => {
    stream = `test-${process.pid}-${++count}`
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.link.close()
    for await (const { config } of manager.streams.list())
      if (config.name.startsWith(`${stream}-`)) await manager.streams.delete(config.name)
  })

  async function open(options: Partial<NatsOrderedLogOptions> = {}): Promise<LogClient> {
    const client = await LogClient.open(natsOrderedLog({ servers: url, stream, ...options }))
    clients.push(client)
    return client
  }

  describe('its streams', () => {
    test('are made as they have to be, by the first who comes', async () => {
      const [a, b] = await Promise.all([open({ partitions: 2 }), open({ partitions: 2 })])
      expect(a.link.identity).toBe(b.link.identity)
      expect((await open({ partitions: 2, create: false })).link.identity).toBe(a.link.identity)
      const { config } = await manager.streams.info(`${stream}-1`)
      expect(config).toMatchObject({
        subjects: [expect.stringMatching(new RegExp(`^${stream}\\.1\\.[0-9a-f]{16}$`))],
        discard: 'new',
        storage: 'file',
        max_age: 0,
        deny_delete: true,
        allow_rollup_hdrs: false,
        allow_direct: false,
        num_replicas: 1,
      })
      expect(a.link.promises).toEqual({ acknowledgedBy: 'broker', survives: 'kill', copies: 1, accepted: [] })
      expect((await open({ partitions: 2, syncAlways: true })).link.promises.survives).toBe('power loss')
    })

    test('are not made where that is not wanted', async () => {
      await expect(open({ create: false })).rejects.toThrow(
        expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT', message: expect.stringContaining('nats stream add') }),
      )
    })

    test('may be made by hand, as the refusal says', async () => {
      const refusal: WarpError = await open({ create: false }).then(
        () => expect.unreachable(),
        (error: unknown) => error as WarpError,
      )
      const [, subject] = /--subjects='([^']+)'/.exec(refusal.message) ?? []
      await manager.streams.add({ name: `${stream}-0`, subjects: [subject!], discard: 'new' })
      await manager.streams.add({ name: `${stream}-snapshots`, subjects: [`${stream}.snapshots.>`], discard: 'new' })
      const client = await open({ create: false })
      expect(subject!.endsWith(client.link.identity)).toBe(true)
      expect(await client.append('one')).toBe(1)
    })

    test('with other numbers of partitions are refused', async () => {
      await open({ partitions: 2 })
      for (const partitions of [1, 3])
        await expect(open({ partitions })).rejects.toThrow(
          expect.objectContaining({ code: 'WARP_E_CONFIG', message: expect.stringContaining('2 partitions') }),
        )
    })

    test.each<[string, Partial<StreamConfig>]>([
      ['eviction', { max_age: 60e9 }],
      ['memory', { storage: 'memory' }],
      ['rollup', { allow_rollup_hdrs: true }],
    ])('that the server may empty (%s) are refused, or accepted and said', async (name, config) => {
      const subjects = [`${stream}.0.0123456789abcdef`]
      await manager.streams.add({ name: `${stream}-0`, subjects, discard: 'new', ...config })
      await expect(open()).rejects.toThrow(
        expect.objectContaining({
          code: 'WARP_E_BROKER_UNFIT',
          details: expect.objectContaining({ shortcoming: name }),
        }),
      )
      const { promises } = (await open({ accept: [name as 'memory'] })).link
      expect(promises).toMatchObject({ accepted: [name], survives: name === 'memory' ? 'nothing' : 'kill' })
    })

    test('with fewer copies than asked for are refused', async () => {
      await open()
      await expect(open({ replicas: 3 })).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT' }))
      expect((await open({ replicas: 3, accept: ['replicas'] })).link.promises).toMatchObject({
        copies: 1,
        accepted: ['replicas'],
      })
    })

    test('that the server cannot make are unfit, and say why', async () => {
      await expect(open({ replicas: 5 })).rejects.toThrow(
        expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT', message: expect.stringContaining('cannot be made') }),
      )
    })
  })

  describe('records', () => {
    test('are messages that anybody can read: the id is a header, the bytes are the payload', async () => {
      const client = await open()
      await client.append('an-id', Uint8Array.of(1, 2, 3))
      const message = await manager.streams.getMessage(`${stream}-0`, { seq: 1 })
      expect(message?.header.get('Warp-Id')).toBe('an-id')
      expect([...message!.data]).toEqual([1, 2, 3])
    })

    test('that somebody else puts there are empty, in their place, and passed over like barriers', async () => {
      const client = await open()
      const { config } = await manager.streams.info(`${stream}-0`)
      await manager.jetstream().publish(config.subjects[0]!, 'not ours')
      await client.append('ours')
      const reader = client.follow()
      await until(() => reader.ids.includes('ours'))
      expect(reader.records.map(({ offset, id, bytes }) => [offset, id, bytes.length])).toEqual([
        [1, 'barrier:foreign:1', 0],
        [2, 'ours', 4],
      ])
    })

    test('that find the stream full are refused, and have no place', async () => {
      const subjects = [`${stream}.0.0123456789abcdef`]
      await manager.streams.add({ name: `${stream}-0`, subjects, discard: 'new', max_msgs: 2 })
      const client = await open()
      await client.append('one')
      await client.append('two')
      expect(await client.link.append(0, 'three', new Uint8Array())).toMatchObject({
        kind: 'refused',
        error: { code: 'WARP_E_STORAGE_FULL' },
      })
      const reader = client.follow()
      await until(() => reader.ids.length === 2)
    })

    test('that are larger than all that is asked for at a time come all the same', async () => {
      const client = await open({ readBytesMax: 64 * 1024 })
      const sizes = [10, 900_000, 10, 200_000]
      for (const [i, size] of sizes.entries()) await client.append(`r${i}`, new Uint8Array(size))
      const reader = client.follow()
      await until(() => reader.ids.length === 4)
      expect(reader.records.map(({ bytes }) => bytes.length)).toEqual(sizes)
    })
  })

  describe('a reader', () => {
    async function following(): Promise<{ client: LogClient; reader: ReturnType<LogClient['follow']> }> {
      const client = await open()
      const reader = client.follow()
      for (const id of ['one', 'two', 'three']) await client.append(id)
      await until(() => reader.ids.length === 3)
      return { client, reader }
    }

    test('whose consumer was deleted goes on where it was', async () => {
      const { client, reader } = await following()
      for await (const { name } of manager.consumers.list(`${stream}-0`))
        await manager.consumers.delete(`${stream}-0`, name)
      await client.append('four')
      await until(() => reader.ids.includes('four'))
      expect(reader.ids).toEqual(['one', 'two', 'three', 'four'])
    })

    test('that misses what was purged is told; one that has it all goes on, and may save it for those who come', async () => {
      const { client, reader } = await following()
      await manager.streams.purge(`${stream}-0`)
      await client.append('four')
      await until(() => reader.ids.includes('four'))
      const returning = await open()
      const whole = returning.follow(reader.last)
      await until(() => returning.reports.length > 0)
      expect(returning.reports).toMatchObject([{ kind: 'order:degraded', error: { code: 'WARP_E_ORDER_BROKEN' } }])
      expect(whole.broken).toBeUndefined()
      const late = (await open()).follow()
      await until(() => late.broken !== undefined)
      expect(late.broken).toMatchObject({ code: 'WARP_E_ORDER_BROKEN', message: expect.stringContaining('purged') })
      expect(late.records).toEqual([])
      await client.link.saveSnapshot(0, { bookmark: reader.last!, pieces: piecesOf('all of it') })
      const later = (await open()).follow()
      await until(() => later.trimmed !== undefined)
    })

    test('is told of a record that was deleted before it came, when it comes there, or at once', async () => {
      const subjects = [`${stream}.0.0123456789abcdef`]
      await manager.streams.add({ name: `${stream}-0`, subjects, discard: 'new' })
      const client = await open({ readBytesMax: 64 * 1024 })
      const ids = ['one', 'two', 'three', 'four', 'five', 'six']
      for (const id of ids) await client.append(id, new Uint8Array(50_000))
      let release = (): void => undefined
      const released = new Promise<undefined>((resolve) => (release = () => resolve(undefined)))
      const reader = client.follow(undefined, () => released)
      await until(() => reader.records.length > 0)
      await manager.streams.deleteMessage(`${stream}-0`, 5)
      release()
      await until(() => reader.broken !== undefined)
      expect(reader.broken?.message).toContain('up to 5')
      expect(reader.ids).toEqual(ids.slice(0, reader.ids.length))
      expect(reader.ids).not.toContain('six')
      const late = (await open()).follow({ offset: 1, id: 'one' })
      await until(() => late.broken !== undefined)
      expect(late.records).toEqual([])
    })

    test('is told that its stream was deleted, and that it was made anew', async () => {
      const { client, reader } = await following()
      await manager.streams.delete(`${stream}-0`)
      await until(() => reader.broken !== undefined)
      expect(reader.broken?.message).toContain('deleted')
      expect(await client.link.append(0, 'four', new Uint8Array())).toMatchObject({ kind: 'refused' })
      const another = await open()
      expect(another.link.identity).not.toBe(client.link.identity)
      await another.append('other')
      // The former one goes nowhere, also not into the new stream.
      expect(await client.link.append(0, 'four', new Uint8Array())).toMatchObject({ kind: 'refused' })
      await expect(client.link.barrier(0)).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_ORDER_BROKEN' }))
    })

    test('is told of a rollback by the first append that has a place that was taken', async () => {
      const { client, reader } = await following()
      const { config } = await manager.streams.info(`${stream}-0`)
      await manager.streams.delete(`${stream}-0`)
      await manager.streams.add(config)
      expect(await client.link.append(0, 'four', new Uint8Array())).toMatchObject({
        kind: 'unknown',
        error: { code: 'WARP_E_ORDER_BROKEN' },
      })
      await until(() => reader.broken !== undefined)
      expect(reader.ids).toEqual(['one', 'two', 'three'])
      expect(await client.link.append(0, 'five', new Uint8Array())).toMatchObject({
        kind: 'refused',
        error: { code: 'WARP_E_ORDER_BROKEN' },
      })
    })

    test('takes what is appended, though a reader has a bookmark of another log', async () => {
      const client = await open()
      const reader = client.follow({ offset: 1_000_000, id: 'another' })
      expect(await client.link.append(0, 'one', new Uint8Array())).toMatchObject({ kind: 'appended' })
      await until(() => reader.broken !== undefined)
      expect(await client.link.append(0, 'two', new Uint8Array())).toMatchObject({ kind: 'appended' })
    })

    test('is told of another record at its bookmark, and of an end before it', async () => {
      await following()
      for (const after of [
        { offset: 2, id: 'other' },
        { offset: 99, id: 'one' },
      ]) {
        const reader = (await open()).follow(after)
        await until(() => reader.broken !== undefined)
        expect(reader.broken?.code).toBe('WARP_E_ORDER_BROKEN')
      }
    })
  })

  describe('snapshots', () => {
    test('leave nothing behind but the one that reaches furthest', async () => {
      const client = await open()
      for (const id of ['one', 'two', 'three']) await client.append(id)
      for (const offset of [1, 3, 2]) {
        const bookmark = { offset, id: ['one', 'two', 'three'][offset - 1]! }
        await client.link.saveSnapshot(0, { bookmark, pieces: piecesOf(`up to ${offset}`, 'and more') })
      }
      const { state } = await manager.streams.info(`${stream}-snapshots`, { subjects_filter: '>' })
      expect(Object.values(state.subjects ?? {}).sort()).toEqual([1, 2])
      expect((await client.link.loadSnapshot(0))?.bookmark).toEqual({ offset: 3, id: 'three' })
    })

    test('of a log that was there before are not taken for those of the new one', async () => {
      const client = await open()
      await client.append('one')
      await client.link.saveSnapshot(0, { bookmark: { offset: 1, id: 'one' }, pieces: piecesOf('old') })
      await manager.streams.delete(`${stream}-0`)
      expect(await (await open()).link.loadSnapshot(0)).toBeUndefined()
    })

    test('let a trim go as far as they reach, and no further', async () => {
      const client = await open()
      for (const id of ['one', 'two', 'three']) await client.append(id)
      await client.link.saveSnapshot(0, { bookmark: { offset: 1, id: 'one' }, pieces: piecesOf('state') })
      await expect(client.link.trim(0, 3)).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
      await client.link.trim(0, 2)
      expect((await manager.streams.info(`${stream}-0`)).state).toMatchObject({ first_seq: 2, last_seq: 3 })
    })

    test('that are being saved end when the log is closed', async () => {
      const client = await open()
      await client.append('one')
      async function* endless(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('begun')
        await new Promise(() => undefined)
      }
      const saving = client.link.saveSnapshot(0, { bookmark: { offset: 1, id: 'one' }, pieces: endless() })
      const closed = expect(saving).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }))
      await client.link.close()
      await closed
    })

    test('whose pieces are gone reject, and are not half', async () => {
      const client = await open()
      await client.append('one')
      await client.link.saveSnapshot(0, { bookmark: { offset: 1, id: 'one' }, pieces: piecesOf('a', 'b', 'c') })
      const snapshot = await client.link.loadSnapshot(0)
      await manager.streams.purge(`${stream}-snapshots`, { keep: 2 })
      const read = async () => {
        const all: string[] = []
        for await (const piece of snapshot!.pieces) all.push(Buffer.from(piece).toString())
        return all
      }
      await expect(read()).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_TRANSPORT' }))
    })
  })

  test('a connection of the user stays open, and is the one that is used', async () => {
    const client = await open({ servers: undefined, connection: nats } as never)
    expect(await client.append('one')).toBe(1)
    const reader = client.follow()
    await until(() => reader.ids.length === 1)
    await client.link.close()
    expect(nats.isClosed()).toBe(false)
    await nats.flush()
  })

  test('nobody who answers is an error that says where it was looked', async () => {
    await expect(open({ servers: 'nats://me:secret@127.0.0.1:1' })).rejects.toThrow(
      expect.objectContaining({
        code: 'WARP_E_TRANSPORT',
        message: expect.not.stringContaining('secret'),
      }),
    )
  })
})

async function* piecesOf(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}
