/** The control socket: what arrives there is answered or refused, and the replica lives on. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp, type KeyMap, type Warp } from '../../../adapters/node/index.ts'
import { connectControl } from '../../../bin/cli/control/control-client.ts'
import { QUESTION_BYTES_MAX } from '../../../adapters/control/control-protocol.ts'
import { serveControl, type ControlServer } from '../../../adapters/control/control-server.ts'
import { KEYS as LIST } from '../../../src/control/questions/reading.ts'
import { WATCH } from '../../../src/control/questions/watching.ts'
import { register } from '../../../crdt/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const NEVER = new AbortController().signal
const KEYS_COUNT = 2000

let data = ''
let warp: Warp<KeyMap>
let server: ControlServer

beforeAll(async () => {
  data = temporaryFolder(afterAll)
  const opened = await openWarp({ keys: { '*': register<string>() }, log: fileLog({ path: data }) })
  warp = opened as unknown as Warp<KeyMap>
  for (let i = 0; i < KEYS_COUNT; i++) void opened.set(`key:${String(i).padStart(200, '.')}`, 'x')
  server = await serveControl(warp, data)
  return async () => {
    await server.close()
    await opened.close()
  }
})

/** A connection that says what it likes; gives the lines of JSON that come back. */
function say(...lines: readonly string[]) {
  const socket = connect(path.join(data, 'warp.sock'))
  onTestFinished(() => void socket.destroy())
  let text = ''
  let wake = (): void => undefined
  socket.setEncoding('utf8').on('data', (more: string) => {
    text += more
    wake()
  })
  socket.on('close', () => wake())
  for (const line of lines) socket.write(`${line}\n`)
  const received = (): unknown[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  return {
    socket,
    /** The first so many lines after the greeting, or fewer if the connection ends. */
    answers: async (count: number): Promise<unknown[]> => {
      while (received().length <= count && !socket.closed) await new Promise<void>((resolve) => (wake = resolve))
      return received().slice(1)
    },
    greeting: async (): Promise<unknown> => {
      while (received().length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return received()[0]
    },
  }
}

const refusal = (id: number | null, message: string): object => ({
  id,
  error: { code: 'WARP_E_PROTOCOL', message: expect.stringContaining(message) },
})

test('whoever connects is told what it is talking to', async () => {
  expect(await say().greeting()).toEqual({
    warp: 'control',
    protocol: 1,
    version: expect.stringMatching(/^\d+\./),
    replica: warp.replica,
    data,
  })
})

test.each([
  ['no JSON', '{', refusal(null, 'not of the control protocol')],
  ['another shape', '{"id":"x","ask":"get"}', refusal(null, 'not of the control protocol')],
  ['null', 'null', refusal(null, 'not of the control protocol')],
  ['an unknown question', '{"id":1,"ask":"toString"}', refusal(1, "no question 'toString'")],
  ['no parameters', '{"id":2,"ask":"get"}', refusal(2, 'key is no text')],
  ['parameters of another type', '{"id":2,"ask":"get","with":[]}', refusal(2, 'the parameters are no object')],
  ['an inherited parameter', '{"id":2,"ask":"set","with":{"key":"a"}}', refusal(2, 'value is missing')],
  [
    'a value that nests without end',
    `{"id":3,"ask":"set","with":{"key":"a","value":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`,
    { id: 3, error: { code: 'WARP_E_UNENCODABLE', message: expect.stringContaining('nests deeper') } },
  ],
])('%s is answered with an error, and the connection goes on', async (_, line, expected) => {
  const answers = await say(line, '{"id":9,"ask":"stats"}').answers(3)
  expect(answers).toEqual([expected, { id: 9, item: expect.anything() }, { id: 9, end: true }])
})

test('items for a question that takes none are refused, late ones are not minded', async () => {
  const said = say('{"id":1,"ask":"watch","with":{"pattern":"*"}}', '{"id":1,"item":1}', '{"id":7,"item":1}')
  expect(await said.answers(2)).toEqual(
    expect.arrayContaining([{ id: 1, item: { kind: 'watching' } }, refusal(null, 'takes no items')]),
  )
})

test('a question under a number that is in use is refused', async () => {
  const watch = '{"id":1,"ask":"watch","with":{"pattern":"*"}}'
  expect(await say(watch, watch).answers(2)).toEqual(
    expect.arrayContaining([{ id: 1, item: { kind: 'watching' } }, refusal(null, 'is being answered already')]),
  )
})

test('more questions at a time than are answered are refused', async () => {
  const watches = Array.from({ length: 17 }, (_, id) => `{"id":${id},"ask":"watch","with":{"pattern":"*"}}`)
  expect(await say(...watches).answers(17)).toContainEqual(refusal(16, '16 questions are being answered'))
})

test('a line without an end closes the connection, not the replica', async () => {
  const { socket, answers } = say()
  socket.write('x'.repeat(QUESTION_BYTES_MAX + 2))
  await once(socket, 'close')
  expect(await answers(1)).toEqual([refusal(null, `longer than ${QUESTION_BYTES_MAX} bytes`)])
  expect(await say('{"id":1,"ask":"get","with":{"key":"nobody"}}').answers(2)).toHaveLength(2)
})

test('a watch that is cancelled, and one whose asker has gone, are over at the replica', async () => {
  const before = warp.stats().watchesCount
  const watch = '{"id":1,"ask":"watch","with":{"pattern":"*"}}'
  const said = say(watch)
  await said.answers(1)
  expect(warp.stats().watchesCount).toBe(before + 1)
  said.socket.write('{"id":1,"cancel":true}\n')
  expect(await said.answers(2)).toContainEqual({ id: 1, end: true })
  expect(warp.stats().watchesCount).toBe(before)

  const target = await connectControl(data, NEVER)
  for await (const item of target?.ask(WATCH, { pattern: '*' }, { signal: NEVER }) ?? []) {
    expect(item).toEqual({ kind: 'watching' })
    break
  }
  await target?.close()
  // The next connection is served after the last one's end has been seen.
  await say('{"id":1,"ask":"stats"}').answers(2)
  expect(warp.stats().watchesCount).toBe(before)
})

test('who does not read is not written to, and the answer ends when they leave', async () => {
  let handedOut = 0
  let isOver = false
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield `${'x'.repeat(1000)}${handedOut++}`
    } finally {
      isOver = true
    }
  }
  const folder = temporaryFolder()
  const source = { replica: warp.replica, keys: endless } as unknown as Warp<KeyMap>
  const endlessServer = await serveControl(source, folder)
  const socket = connect(endlessServer.path)
  socket.pause().write('{"id":1,"ask":"keys","with":{"pattern":"*"}}\n')
  let before = -1
  while (handedOut !== before || handedOut === 0) {
    before = handedOut
    for (let i = 0; i < 100; i++) await turn()
  }
  expect(handedOut).toBeGreaterThan(0)
  expect(isOver).toBe(false)
  socket.destroy()
  while (!isOver) await turn()
  await endlessServer.close()
})

test('a long answer arrives whole', async () => {
  const target = await connectControl(data, NEVER)
  const keys = new Set<string>()
  for await (const key of target?.ask(LIST, { pattern: '*', dead: false }, { signal: NEVER }) ?? []) keys.add(key)
  expect(keys.size).toBe(KEYS_COUNT)
  await target?.close()
})

test('an abort ends a question with its error', async () => {
  const target = await connectControl(data, NEVER)
  const controller = new AbortController()
  const asked = async (): Promise<void> => {
    for await (const _ of target?.ask(WATCH, { pattern: '*' }, { signal: controller.signal }) ?? []) controller.abort()
  }
  await expect(asked()).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  await target?.close()
})

test('nobody listens for a folder that nobody holds', async () => {
  expect(await connectControl(temporaryFolder(), NEVER)).toBeUndefined()
  expect(await connectControl(path.join(data, 'nowhere'), NEVER)).toBeUndefined()
})

test('who does not read what is refused is not read from', async () => {
  const { socket } = say()
  socket.pause()
  const wrong = `${'x'.repeat(60)}\n`.repeat(1000)
  let taken = 0
  for (let i = 0; i < 60; i++) socket.write(wrong, () => taken++)
  // No more is taken than the system holds for both ways, however often others are answered meanwhile.
  const other = say()
  for (let id = 1; id <= 200; id++) {
    other.socket.write(`{"id":${id},"ask":"stats"}\n`)
    await other.answers(2 * id)
  }
  expect(taken).toBeLessThan(30)
})

test('a command that is interrupted while a stopped replica does not greet it ends at once', async () => {
  const folder = temporaryFolder()
  const mute = createServer().listen(path.join(folder, 'warp.sock'))
  onTestFinished(() => void mute.close())
  await once(mute, 'listening')
  const interruption = new AbortController()
  const startedMs = performance.now()
  const connecting = connectControl(folder, interruption.signal)
  mute.once('connection', () => interruption.abort())
  await expect(connecting).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  expect(performance.now() - startedMs).toBeLessThan(4000)
})
