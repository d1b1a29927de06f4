/**
 * What clients of either protocol are told, to the byte, and what happens to those that send what they should
 * not. Sessions are those that were recorded with published clients.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import {
  yWebsocketServer,
  type DocumentPermission,
  type RefusedUpdate,
  type YWebsocketServer,
} from '../../../adapters/y-websocket/index.ts'
import { register } from '../../../crdt/index.ts'
import { yjs } from '../../../crdt/documents/yjs.ts'
import { until } from '../../support/documents/providers.ts'
import { hexOf, RawEditor } from '../../support/documents/raw-editor.ts'

const KEYS = { 'doc:*': yjs(), 'other:*': register<string>() }
/** Of client 1: "hi" into the text "t"; then "!" behind it, of client 2. */
const [HI, MORE] = ['0101010004010174026869' + '00', '010102008401010121' + '00']
const ANN = hexOf('{"user":{"name":"Ann"}}')

let warp: Warp<typeof KEYS>
let server: YWebsocketServer
let permission: DocumentPermission
let tokens: (string | undefined)[]
let refused: RefusedUpdate[]
const editors: RawEditor[] = []

beforeEach(async () => {
  ;[permission, tokens, refused] = [true, [], []]
  warp = await openWarp({ keys: KEYS })
  server = await yWebsocketServer(warp, {
    port: 0,
    authorise: ({ token }) => {
      tokens.push(token)
      return permission
    },
    ...{ updateBytesMax: 4096, frameBytesMax: 100_000, documentsMax: 3 },
    onRefused: (one) => refused.push(one),
  })
})

afterEach(async () => {
  for (const editor of editors.splice(0)) editor.close()
  await server.close()
  await warp.close()
})

async function editor(path = '/doc:1', headers: Record<string, string> = {}): Promise<RawEditor> {
  const opened = await RawEditor.open(server.port, path, headers)
  editors.push(opened)
  return opened
}

/** A Hocuspocus client with one document open. */
async function named(name = 'doc:1'): Promise<RawEditor> {
  const opened = await editor('/')
  opened.send(hexOf(name), '0200', hexOf('token'), hexOf('4.8.0'))
  return opened
}

function text(): string {
  return warp.peek('doc:1')?.getText('t').toJSON() ?? ''
}

describe('y-websocket', () => {
  test('a recorded session', async () => {
    const ann = await editor()
    ann.send('00000100')
    ann.send('0106010100027b7d')
    await ann.hears('00000100')
    await ann.hears('0001020000')
    await ann.hears('0106010100027b7d')
    ann.send('0001020000')
    ann.send('00020c', HI)
    await until(() => text() === 'hi')
    ann.send('011b010101', ANN)
    await ann.hears(`011b010101${ANN}`)
    const bob = await editor()
    bob.send('00000100')
    await bob.hears('000003010102')
    await bob.hears(`011b010101${ANN}`)
    await bob.hears(`00010c${HI}`)
    bob.send('00020a', MORE)
    await ann.hears(`00020a${MORE}`)
    expect(text()).toBe('hi!')
    // Nobody hears of what he has written himself.
    expect(bob.heard).not.toContain(`00020a${MORE}`)
    ann.send('0108010102', hexOf('null'))
    await bob.hears(`0108010102${hexOf('null')}`)
  })

  test('an empty state is answered when the log is loaded, and not before: a seed is not made twice', async () => {
    await warp.key('doc:1').merge(Buffer.from(HI, 'hex'))
    const ann = await editor()
    ann.send('00000100')
    await ann.hears(`00010c${HI}`)
    expect(ann.heard).not.toContain('0001020000')
  })

  test('who may not is told slowly, with a code for which the provider stays away', async () => {
    permission = false
    const ann = await editor('/doc:1?token=mine')
    permission = 'unauthenticated'
    const bob = await editor('/doc:1')
    for (const one of [ann, bob]) one.send('00020c', HI)
    expect([(await ann.isClosed()).code, (await bob.isClosed()).code]).toEqual([4403, 4401])
    expect([ann.heard, bob.heard]).toEqual([[], []])
    expect(tokens).toEqual(['mine', undefined])
    expect(text()).toBe('')
    expect(server.documentsCount).toBe(0)
  })

  test('there is no document but keys of yjs()', async () => {
    const paths = ['/other:1', '/nobody', `/doc:${'x'.repeat(8000)}`]
    const asked = await Promise.all(paths.map((path) => editor(path)))
    for (const one of asked) expect((await one.isClosed()).code).toBe(4404)
    await expect(editor('/doc:%ff')).rejects.toThrow('400')
    await expect(editor('/doc:1', { origin: 'https://elsewhere.example' })).rejects.toThrow('403')
    await editor('/doc:1', { origin: `http://127.0.0.1:${server.port}` })
  })

  test('what cannot be an update ends the connection for good, and nobody else notices', async () => {
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'x')
    const v2 = Y.encodeStateAsUpdateV2(doc)
    const withSubdocument = new Y.Doc()
    withSubdocument.getMap('m').set('sub', new Y.Doc())
    const long = new Y.Doc()
    long.getText('t').insert(0, 'x'.repeat(5000))
    const bob = await editor()
    bob.send('00000100')
    await bob.hears('0001020000')
    const cases: [number, Uint8Array | string][] = [
      [4400, '0002ff'],
      [4400, '000205ffffffffff'],
      [4400, '00020401020304'],
      [4400, '01050101'],
      [4400, 'ffffffffffffffffffff'],
      [4400, v2],
      [4415, Y.encodeStateAsUpdate(withSubdocument)],
      [4413, Y.encodeStateAsUpdate(long)],
    ]
    const senders = await Promise.all(cases.map(() => editor()))
    for (const [i, [, sent]] of cases.entries())
      if (typeof sent === 'string') senders[i]!.send(sent)
      else senders[i]!.sendUpdate(sent)
    const codes = []
    for (const sender of senders) codes.push((await sender.isClosed()).code)
    expect(codes).toEqual(cases.map(([code]) => code))
    const talker = await editor()
    talker.sendText('hello')
    expect((await talker.isClosed()).code).toBe(4400)
    expect(refused).toHaveLength(cases.length)
    expect(refused.map(({ error }) => error)).toContainEqual(expect.objectContaining({ code: 'WARP_E_LIMIT' }))
    bob.send('00020c', HI)
    await until(() => text() === 'hi')
    expect(bob.closed).toBeUndefined()
  })

  test('an update before its causes waits, and the client is asked for all it has', async () => {
    const [ann, bob] = [await editor(), await editor()]
    for (const one of [ann, bob]) await one.hears('00000100')
    bob.send('00020a', MORE)
    await until(() => bob.heard.filter((frame) => frame === '00000100').length === 2)
    expect(text()).toBe('')
    ann.send('00020c', HI)
    await until(() => text() === 'hi!')
    expect(server.counts.heldUpdates).toBe(1)
    expect(bob.closed).toBeUndefined()
  })

  test('what waits to be written is bounded: whoever sends more comes again, and the others stay', async () => {
    const [ann, bob] = [await editor(), await editor()]
    for (const one of [ann, bob]) await one.hears('00000100')
    const long = new Y.Doc()
    long.getText('t').insert(0, 'x'.repeat(4000))
    for (let i = 0; i < 100; i++) ann.sendUpdate(Y.encodeStateAsUpdate(long))
    expect((await ann.isClosed()).code).toBe(1011)
    bob.send('00020c', HI)
    await until(() => text().includes('hi'))
    expect(bob.closed).toBeUndefined()
  })

  test('who may only read writes nothing, and stays', async () => {
    permission = 'read-only'
    const ann = await editor()
    ann.send('00000100')
    ann.send('00020c', HI)
    await until(() => server.counts.refusedUpdates === 1)
    expect([text(), ann.closed]).toEqual(['', undefined])
  })

  test('rights that are taken away end at the next look', async () => {
    const ann = await editor()
    ann.send('00020c', HI)
    await until(() => text() === 'hi')
    permission = 'read-only'
    await server.recheck('doc:1')
    ann.send('00020a', MORE)
    await until(() => server.counts.refusedUpdates === 1)
    permission = false
    await server.recheck()
    expect((await ann.isClosed()).code).toBe(4403)
  })
})

describe('Hocuspocus', () => {
  const NAME = hexOf('doc:1')

  test('a recorded session: what comes before the token is judged waits, and each update has its status', async () => {
    const ann = await named()
    ann.send(NAME, '00000100')
    ann.send(NAME, '0106010100027b7d')
    await ann.hears(`${NAME}0202${hexOf('read-write')}`)
    await ann.hears(`${NAME}00000100`)
    await ann.hears(`${NAME}0001020000`)
    ann.send(NAME, '0001020000')
    await ann.hears(`${NAME}0801`)
    ann.send(NAME, '00020c', HI)
    await until(() => ann.heard.filter((frame) => frame === `${NAME}0801`).length === 2)
    expect([text(), tokens]).toEqual(['hi', ['token']])
    ann.send(NAME, '07')
    await ann.hears(`${NAME}07${hexOf('provider_initiated')}`)
    await until(() => server.documentsCount === 0)
  })

  test('denied and read-only are said in frames, and the socket stays', async () => {
    permission = false
    const ann = await named()
    await ann.hears(`${NAME}0201${hexOf('permission-denied')}`)
    permission = 'read-only'
    ann.send(NAME, '0200', hexOf('other'))
    await ann.hears(`${NAME}0202${hexOf('readonly')}`)
    ann.send(NAME, '00020c', HI)
    await ann.hears(`${NAME}0800`)
    expect([text(), ann.closed, tokens]).toEqual(['', undefined, ['token', 'other']])
    // A second token of an open document is asked about, and changes what may be done.
    permission = true
    ann.send(NAME, '0200', hexOf('third'))
    await ann.hears(`${NAME}0202${hexOf('read-write')}`)
    ann.send(NAME, '00020c', HI)
    await ann.hears(`${NAME}0801`)
    expect(text()).toBe('hi')
  })

  test('a document that is refused leaves the others of the connection alone; there are so many', async () => {
    const ann = await named()
    for (const name of ['doc:2', 'doc:3', 'doc:4']) ann.send(hexOf(name), '0200', hexOf('t'))
    await until(() => ann.heard.some((frame) => frame.startsWith(`${hexOf('doc:4')}0201`)))
    const long = new Y.Doc()
    long.getText('t').insert(0, 'x'.repeat(5000))
    ann.send(hexOf('doc:2'), '0002', '8a27', Y.encodeStateAsUpdate(long).subarray(0, 5002))
    await until(() => ann.heard.some((frame) => frame.startsWith(`${hexOf('doc:2')}0201`)))
    ann.send(NAME, '00020c', HI)
    await ann.hears(`${NAME}0801`)
    expect(text()).toBe('hi')
    expect(ann.closed).toBeUndefined()
  })

  test('a ping is answered, and garbage is not', async () => {
    const ann = await named()
    ann.send('09')
    await ann.hears('0a')
    const other = await editor('/')
    other.send('ffffff')
    expect((await other.isClosed()).code).toBe(4400)
  })
})

describe('presence', () => {
  test('a state belongs to the connection that said it first; echoes and false names go nowhere', async () => {
    const [ann, bob] = [await editor(), await editor()]
    ann.send('011b010101', ANN)
    await bob.hears(`011b010101${ANN}`)
    bob.send('011b010101', ANN)
    bob.send('011b010105', hexOf('{"user":{"name":"Bob"}}'))
    await until(() => server.counts.awarenessRefused === 1)
    expect(ann.heard.filter((frame) => frame.startsWith('01'))).toEqual([`011b010101${ANN}`])
    ann.close()
    await bob.hears(`0108010102${hexOf('null')}`)
    // What comes back late does not bring it back.
    bob.send('011b010101', ANN)
    const zoe = await editor()
    zoe.send('03')
    await zoe.hears('010100')
  })

  test('the name is the one that the server knows', async () => {
    permission = { access: 'read-write', user: { name: 'Zoe' } }
    const ann = await editor()
    ann.send('011b010101', ANN)
    await ann.hears(`011b010101${hexOf('{"user":{"name":"Zoe"}}')}`)
  })

  test('what is no state is not passed on', async () => {
    const ann = await editor()
    for (const [i, json] of ['{', '5', `"${'x'.repeat(90)}"`].entries())
      ann.send(Uint8Array.of(1, json.length + 4, 1, i, 1, json.length), Buffer.from(json))
    await until(() => server.counts.awarenessRefused === 3)
    expect(ann.heard.filter((frame) => frame.startsWith('01'))).toEqual([])
  })
})

test('documents that were opened and left take no memory', async () => {
  await warp.key('doc:1').merge(Buffer.from(HI, 'hex'))
  for (let i = 0; i < 200; i++) {
    const one = await editor(i % 2 === 0 ? `/doc:${i}` : '/doc:1')
    await one.hears(i % 2 === 0 ? '00000100' : '000003010102')
    one.close()
  }
  await until(() => server.documentsCount === 0 && server.connectionsCount === 0)
  expect(warp.stats().cache.entriesCount).toBe(0)
  expect(text()).toBe('hi')
})

test('closing writes what has come, and sends clients away with a code for which they come again', async () => {
  const [ann, bob] = [await editor(), await named()]
  await ann.hears('00000100')
  ann.send('00020c', HI)
  await until(() => text() === 'hi')
  await server.close()
  expect((await ann.isClosed()).code).toBe(1012)
  expect((await bob.isClosed()).code).toBe(1012)
  await expect(editor()).rejects.toThrow('ECONNREFUSED')
})
