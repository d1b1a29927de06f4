/**
 * Unmodified providers of y-websocket and Hocuspocus type into one document, through servers that are killed
 * and started again, over one log and over two replicas.
 */
import { afterEach, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import {
  yWebsocketServer,
  type YWebsocketServer,
  type YWebsocketServerOptions,
} from '../../../adapters/y-websocket/index.ts'
import { yjs } from '../../../crdt/documents/yjs.ts'
import { freePort } from '../../support/free-port.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import {
  agreed,
  hocuspocusEditor,
  synced,
  until,
  yWebsocketEditor,
  type Editor,
} from '../../support/documents/providers.ts'

const KEYS = { 'doc:*': yjs() }
const toClose: (() => unknown)[] = []

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

interface Opened {
  readonly warp: Warp<typeof KEYS>
  readonly server: YWebsocketServer
}

async function open(warpOptions: object = {}, options: Partial<YWebsocketServerOptions> = {}): Promise<Opened> {
  const warp = await openWarp({ keys: KEYS, ...warpOptions })
  const server = await yWebsocketServer(warp, { port: 0, authorise: () => true, ...options })
  return { warp, server }
}

async function opened(warpOptions: object = {}, options: Partial<YWebsocketServerOptions> = {}): Promise<Opened> {
  const both = await open(warpOptions, options)
  toClose.push(async () => {
    await both.server.close()
    await both.warp.close()
  })
  return both
}

function kept<E extends Editor>(editor: E): E {
  toClose.push(() => editor.destroy())
  return editor
}

test('two of each kind type at once, and what a service writes comes to all', async () => {
  const { warp, server } = await opened()
  const hocuspocus = [1, 2].map(() => kept(hocuspocusEditor(server.port, 'doc:1')))
  const editors = [...[1, 2].map(() => kept(yWebsocketEditor(server.port, 'doc:1'))), ...hocuspocus]
  await synced(...editors)
  for (let i = 0; i < 50; i++) for (const { text } of editors) text.insert(text.length, 'ab')
  await warp.key('doc:1').change((doc) => doc.getText('body').insert(0, 'service'))
  const text = await agreed(editors, 50 * 4 * 2 + 7)
  expect((await warp.get('doc:1'))?.getText('body').toJSON()).toBe(text)
  await until(() => hocuspocus.every(({ provider }) => !provider.hasUnsyncedChanges))
})

test('three y-websocket clients and two of Hocuspocus, a killed server, one offline: nothing twice, nothing missing', async () => {
  const [folder, port] = [temporaryFolder(), await freePort()]
  let both = await open({ log: fileLog({ path: folder }) }, { port })
  const editors: Editor[] = [
    ...[1, 2, 3].map((clientId) => kept(yWebsocketEditor(port, 'doc:1', { clientId }))),
    ...[4, 5].map((clientId) => kept(hocuspocusEditor(port, 'doc:1', { clientId }))),
  ]
  await synced(...editors)
  let typedCount = 0
  const type = async (): Promise<void> => {
    for (let round = 0; round < 20; round++) {
      for (const [i, { text }] of editors.entries()) {
        text.insert(Math.floor(text.length / (i + 1)), `<${typedCount++}>`)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
  await type()
  editors[0]!.goOffline()
  const typing = type()
  await both.server.close()
  await both.warp.close()
  await typing
  both = await open({ log: fileLog({ path: folder }) }, { port })
  toClose.push(async () => {
    await both.server.close()
    await both.warp.close()
  })
  await type()
  editors[0]!.goOnline()
  let length = 0
  for (let i = 0; i < typedCount; i++) length += `<${i}>`.length
  await agreed(editors, length)
  const document = await both.warp.get('doc:1')
  expect(document?.getText('body').toJSON()).toBe(editors[0]!.text.toJSON())
  for (let i = 0; i < typedCount; i++) expect(countOf(document!.getText('body').toJSON(), i)).toBeLessThanOrEqual(1)
})

function countOf(text: string, i: number): number {
  return text.split(`<${i}>`).length - 1
}

test('two servers of two replicas: texts and presence agree', async () => {
  const network = memoryNetwork()
  const [a, b] = [
    await opened({ transports: [network.transport('a')] }),
    await opened({ transports: [network.transport('b')] }),
  ]
  const [ann, bob] = [kept(yWebsocketEditor(a.server.port, 'doc:1')), kept(hocuspocusEditor(b.server.port, 'doc:1'))]
  await synced(ann, bob)
  ann.text.insert(0, 'Ann')
  bob.text.insert(0, 'Bob')
  await agreed([ann, bob], 6)
  ann.awareness.setLocalStateField('user', { name: 'Ann' })
  bob.awareness.setLocalStateField('user', { name: 'Bob' })
  await until(() => bob.awareness.getStates().has(ann.doc.clientID) && ann.awareness.getStates().has(bob.doc.clientID))
  expect(bob.awareness.getStates().get(ann.doc.clientID)).toEqual({ user: { name: 'Ann' } })
  // Who comes later is told of clients of the other server.
  const zoe = kept(yWebsocketEditor(b.server.port, 'doc:1'))
  await until(() => zoe.awareness.getStates().get(ann.doc.clientID) !== undefined)
  const id = ann.doc.clientID
  ann.destroy()
  await until(() => !bob.awareness.getStates().has(id) && !zoe.awareness.getStates().has(id))
  // Presence is in no log.
  expect(a.warp.stats().log.operationsCount).toBeLessThan(10)
})

test('a first state of 5 MB is taken in parts, and comes back whole', async () => {
  const { server, warp } = await opened()
  const first = kept(yWebsocketEditor(server.port, 'doc:large'))
  await synced(first)
  first.text.insert(0, '🙂'.repeat(1_250_000))
  const second = kept(hocuspocusEditor(server.port, 'doc:large'))
  await agreed([first, second], 2_500_000)
  expect(second.text.toJSON().isWellFormed()).toBe(true)
  const parts = []
  for await (const { payload } of warp.key('doc:large').log()) parts.push((payload as Uint8Array).length)
  expect(parts.length).toBeGreaterThan(4)
})

test('a document that was folded again tells its editors what came meanwhile', async () => {
  // No value stays in memory: each read makes another document.
  const { server, warp } = await opened({ cache: { entriesMax: 1 } })
  const [ann, bob] = [kept(yWebsocketEditor(server.port, 'doc:1')), kept(hocuspocusEditor(server.port, 'doc:1'))]
  await synced(ann, bob)
  for (let i = 0; i < 20; i++) {
    ann.text.insert(0, 'a')
    bob.text.insert(bob.text.length, 'b')
    await warp.key('doc:2').change((doc) => doc.getText('body').insert(0, 'x'))
    await warp.key('doc:1').change((doc) => doc.getText('body').insert(0, 'c'))
  }
  await agreed([ann, bob], 60)
})
