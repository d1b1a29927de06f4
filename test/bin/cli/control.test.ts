/** The control socket: what arrives there is answered or refused, and the replica lives on. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { connect, createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ControlServer } from '../../../adapters/control/control-server.ts'
import { QUESTION_BYTES_MAX } from '../../../adapters/control/control-protocol.ts'
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp, type KeyMap, type Warp } from '../../../adapters/node/index.ts'
import { connectControl } from '../../../bin/cli/control/control-client.ts'
import { KEYS as LIST } from '../../../src/control/questions/reading.ts'
import { IMPORT } from '../../../src/control/questions/transfer.ts'
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
  server = await ControlServer.open(warp, { data })
  return async () => {
    await server.close()
    await opened.close()
  }
})

interface Answer {
  readonly status: number
  readonly type: string | undefined
  readonly lines: readonly unknown[]
}

/** A request as anybody may make it. */
function begin(method: string, url: string, socketPath = server.path): ClientRequest {
  const request = httpRequest({ socketPath, method, path: url, agent: false })
  onTestFinished(() => void request.destroy())
  return request
}

async function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

async function answerTo(request: ClientRequest, body?: string): Promise<Answer> {
  request.end(body)
  const response = await responseTo(request)
  let text = ''
  for await (const piece of response.setEncoding('utf8')) text += piece as string
  const lines = text.split('\n').slice(0, -1)
  return {
    status: response.statusCode ?? 0,
    type: response.headers['content-type'],
    lines: lines.map((line): unknown => JSON.parse(line)),
  }
}

const get = (url: string): Promise<Answer> => answerTo(begin('GET', url))
const post = (url: string, body: string): Promise<Answer> => answerTo(begin('POST', url), body)

/** A watch that has begun. */
async function watching(): Promise<{ request: ClientRequest; response: IncomingMessage }> {
  const request = begin('GET', '/v1/watch?pattern=*')
  request.on('error', () => undefined)
  request.end()
  const response = await responseTo(request)
  response.on('error', () => undefined)
  await once(response, 'data')
  return { request, response }
}

async function untilWatches(count: number): Promise<void> {
  while (warp.stats().watchesCount !== count) await turn()
}

const failure = (code: string, message: string): object => ({
  error: expect.objectContaining({ code, message: expect.stringContaining(message) }) as object,
})

test('whoever asks is told what it is talking to, and what can be asked', async () => {
  const { status, type, lines } = await get('/v1')
  expect([status, type]).toEqual([200, 'application/json'])
  expect(lines).toEqual([
    {
      ...{ warp: 'control', version: expect.stringMatching(/^\d+\./), replica: warp.replica, data },
      questions: expect.arrayContaining([
        {
          ...{ name: 'log', about: expect.any(String), changes: false, gives: 'items', takesInput: false },
          parameters: [
            { name: 'key', kind: 'text', about: expect.any(String), isNeeded: true },
            { name: 'fromVersion', kind: 'number', about: expect.any(String), isNeeded: false },
          ],
        },
      ]),
    },
  ])
})

test('curl reads, watches and writes', async () => {
  const curl = async (...parameters: readonly string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('curl', ['--silent', '--unix-socket', server.path, ...parameters])
    return stdout
  }
  const written = await curl('http://warp/v1/set', '--data', '{"key":"curl","value":{"$bigint":"12"}}')
  expect(JSON.parse(written)).toMatchObject({ version: 1, ack: 'logged' })
  expect(await curl('http://warp/v1/get?key=curl')).toBe('{"value":{"$bigint":"12"}}\n')
  expect(JSON.parse(await curl('http://warp/v1/stats'))).toMatchObject({ replica: warp.replica })
  expect(await curl('--get', 'http://warp/v1/keys', '--data-urlencode', 'pattern=cur?')).toBe('"curl"\n')
})

/** A request that is refused, and how. */
type Refused = readonly [request: string, status: number, code: string, message: string]

test.each<[what: string, ...Refused]>([
  ['another path', 'GET /', 404, 'WARP_E_PROTOCOL', 'there is no question at /'],
  ['an unknown question', 'GET /v1/toString', 404, 'WARP_E_PROTOCOL', 'there is no question at /v1/toString'],
  ['a question that changes something, by GET', 'GET /v1/compact', 405, 'WARP_E_PROTOCOL', 'asked with POST'],
  ['a question that does not, by POST', 'POST /v1/stats', 405, 'WARP_E_PROTOCOL', 'asked with GET'],
  ['no parameters', 'GET /v1/get', 400, 'WARP_E_PROTOCOL', "parameter 'key' is missing"],
  ['a parameter of another kind', 'GET /v1/at?key=a&version=b', 400, 'WARP_E_PROTOCOL', 'which is number'],
  ['a parameter that there is not', 'GET /v1/get?key=a&x=1', 400, 'WARP_E_PROTOCOL', "no parameter 'x'"],
  ['a malformed pattern', `GET /v1/keys?pattern=${'*'.repeat(3000)}`, 400, 'WARP_E_PATTERN', ''],
])('%s is answered with an error', async (_, ...[request, status, code, message]) => {
  const [method = '', url = ''] = request.split(' ')
  expect(await answerTo(begin(method, url))).toEqual({
    ...{ status, type: 'application/json', lines: [failure(code, message)] },
  })
})

const NESTED = `{"key":"a","value":${'['.repeat(50_000)}${']'.repeat(50_000)}}`

test.each<[what: string, ...Refused]>([
  ['no JSON', '{', 400, 'WARP_E_PROTOCOL', 'not JSON'],
  ['another shape', '[]', 400, 'WARP_E_PROTOCOL', 'the parameters are no object'],
  ['an inherited parameter', '{"key":"a"}', 400, 'WARP_E_PROTOCOL', "'value' is missing"],
  ['a parameter of another kind', '{"key":1,"value":1}', 400, 'WARP_E_PROTOCOL', 'which is text'],
  ['a value that nests without end', NESTED, 422, 'WARP_E_UNENCODABLE', 'nests deeper'],
])('a body that is %s is answered with an error', async (_, ...[body, status, code, message]) => {
  expect(await post('/v1/set', body)).toMatchObject({ status, lines: [failure(code, message)] })
})

test('a body without an end is refused, and its asker sent away', async () => {
  const request = begin('POST', '/v1/set')
  request.on('error', () => undefined)
  request.write('x'.repeat(QUESTION_BYTES_MAX + 2))
  const response = await responseTo(request)
  expect(response.statusCode).toBe(413)
  expect(await get('/v1/get?key=nobody')).toMatchObject({ status: 200, lines: [{}] })
})

test('a body longer than a question may be is refused, although it ends', async () => {
  const response = await responseTo(begin('POST', '/v1/set').end('x'.repeat(QUESTION_BYTES_MAX + 2)))
  expect(response.statusCode).toBe(413)
})

test('what is no HTTP ends its connection, not the replica', async () => {
  const socket = connect(server.path)
  socket.resume().write('{"id":1,"ask":"get"}\n\n')
  await once(socket, 'close')
  expect(await get('/v1/get?key=nobody')).toMatchObject({ status: 200 })
})

test('more questions at a time than are answered are refused, until one is over', async () => {
  const before = warp.stats().watchesCount
  const watches = await Promise.all(Array.from({ length: 64 }, watching))
  const response = await responseTo(begin('GET', '/v1/stats').end())
  expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1'])
  for (const { request } of watches) request.destroy()
  await untilWatches(before)
  expect((await get('/v1/stats')).status).toBe(200)
})

test('a watch whose asker has gone is over at the replica', async () => {
  const before = warp.stats().watchesCount
  const { request } = await watching()
  expect(warp.stats().watchesCount).toBe(before + 1)
  request.destroy()
  await untilWatches(before)

  const target = await connectControl(data, NEVER)
  for await (const item of target?.ask(WATCH, { pattern: '*' }, { signal: NEVER }) ?? []) {
    expect(item).toEqual({ kind: 'watching' })
    break
  }
  await untilWatches(before)
})

/** An engine that lists keys as the test says. */
function listing(keys: () => AsyncIterable<string>): Warp<KeyMap> {
  return { replica: warp.replica, keys } as unknown as Warp<KeyMap>
}

/** Lines of a kilobyte: far more than a system holds for a socket whose other end does not read. */
const UNREAD_LINES_MAX = 50_000

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
  const endlessServer = await ControlServer.open(listing(endless), { data: temporaryFolder() })
  onTestFinished(() => endlessServer.close())
  const socket = connect(endlessServer.path)
  socket.pause().write('GET /v1/keys HTTP/1.1\r\nHost: warp\r\n\r\n')
  let before = -1
  while ((handedOut !== before || handedOut === 0) && handedOut < UNREAD_LINES_MAX) {
    before = handedOut
    for (let i = 0; i < 100; i++) await turn()
  }
  expect(handedOut).toBeGreaterThan(0)
  expect(handedOut).toBeLessThan(UNREAD_LINES_MAX)
  expect(isOver).toBe(false)
  socket.destroy()
  while (!isOver) await turn()
})

test('an answer that fails on its way says why, and is not taken for whole', async () => {
  async function* failing(): AsyncGenerator<string> {
    yield 'a'
    await turn()
    throw new Error('the disk is gone')
  }
  const folder = temporaryFolder()
  const failingServer = await ControlServer.open(listing(failing), { data: folder })
  onTestFinished(() => failingServer.close())
  const response = await responseTo(begin('GET', '/v1/keys', failingServer.path).end())
  let text = ''
  const read = async (): Promise<void> => {
    for await (const piece of response.setEncoding('utf8')) text += piece as string
  }
  await expect(read()).rejects.toThrow('aborted')
  expect(text).toMatch(/^"a"\n\{"error":\{"code":"INTERNAL","message":"Error: the disk is gone.*\}\}\n$/s)

  const target = await connectControl(folder, NEVER)
  const listed: string[] = []
  const ask = async (): Promise<void> => {
    const asked = target?.ask(LIST, { pattern: '*', dead: false }, { signal: NEVER }) ?? []
    for await (const key of asked) listed.push(key)
  }
  await expect(ask()).rejects.toThrow('the disk is gone')
  expect(listed).toEqual(['a'])
})

test('closing tells those who wait, and does not wait for those who do not read', async () => {
  async function* endless(): AsyncGenerator<string> {
    for (;;) yield 'x'.repeat(1000)
  }
  async function* silent(): AsyncGenerator<string> {
    yield 'a'
    await new Promise(() => undefined)
  }
  let isFirst = true
  const either = (): AsyncGenerator<string> => (isFirst ? endless() : silent())
  const folder = temporaryFolder()
  const closing = await ControlServer.open(listing(either), { data: folder })
  const deaf = connect(closing.path)
  deaf.on('error', () => undefined).pause()
  deaf.write('GET /v1/keys HTTP/1.1\r\nHost: warp\r\n\r\n')
  for (let i = 0; i < 200; i++) await turn()
  isFirst = false
  const target = await connectControl(folder, NEVER)
  const ask = async (): Promise<void> => {
    const asked = target?.ask(LIST, { pattern: '*', dead: false }, { signal: NEVER }) ?? []
    for await (const _ of asked) void closing.close()
  }
  await expect(ask()).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  await closing.close()
  while (existsSync(closing.path)) await turn()
  deaf.destroy()
})

test('a long answer arrives whole', async () => {
  const target = await connectControl(data, NEVER)
  const keys = new Set<string>()
  for await (const key of target?.ask(LIST, { pattern: 'key:*', dead: false }, { signal: NEVER }) ?? []) keys.add(key)
  expect(keys.size).toBe(KEYS_COUNT)
})

test('an import that is refused at its first line says so while the rest is still coming', async () => {
  let sent = 0
  async function* endless(): AsyncGenerator<string> {
    for (;;) {
      yield `${'x'.repeat(10_000)}\n`
      sent++
      await turn()
    }
  }
  const target = await connectControl(data, NEVER)
  const ask = async (): Promise<void> => {
    for await (const _ of target?.ask(IMPORT, {}, { signal: NEVER, input: endless() }) ?? []) expect(_).toBe(undefined)
  }
  await expect(ask()).rejects.toMatchObject({ code: 'WARP_E_PROTOCOL', details: { line: 1 } })
  expect(sent).toBeLessThan(10_000)
})

test('an abort ends a question with its error', async () => {
  const target = await connectControl(data, NEVER)
  const controller = new AbortController()
  const asked = async (): Promise<void> => {
    for await (const _ of target?.ask(WATCH, { pattern: '*' }, { signal: controller.signal }) ?? []) controller.abort()
  }
  await expect(asked()).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
})

test('nobody listens for a folder that nobody holds', async () => {
  expect(await connectControl(temporaryFolder(), NEVER)).toBeUndefined()
  expect(await connectControl(path.join(data, 'nowhere'), NEVER)).toBeUndefined()
})

test('who does not read answers is not read from', async () => {
  const socket = connect(server.path)
  onTestFinished(() => void socket.destroy())
  socket.pause()
  const wrong = 'GET /v1/nothing HTTP/1.1\r\nHost: warp\r\n\r\n'.repeat(1000)
  let taken = 0
  for (let i = 0; i < 60; i++) socket.write(wrong, () => taken++)
  // No more is taken than the system holds for both ways, however often others are answered meanwhile.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  for (let i = 0; i < 200; i++) {
    await answerTo(httpRequest({ socketPath: server.path, path: '/v1/get?key=nobody', agent }))
  }
  expect(taken).toBeLessThan(30)
})

test('a socket that somebody listens on is not taken away, nor is a file that is none', async () => {
  const folder = temporaryFolder()
  const first = await ControlServer.open(warp, { data: folder })
  onTestFinished(() => first.close())
  await expect(ControlServer.open(warp, { data: folder })).rejects.toMatchObject({
    ...{ code: 'WARP_E_CONFIG', message: expect.stringContaining('another process listens there') },
  })
  expect((await answerTo(begin('GET', '/v1', first.path))).status).toBe(200)

  const file = path.join(folder, 'precious')
  writeFileSync(file, 'x')
  await expect(ControlServer.open(warp, { path: file })).rejects.toMatchObject({
    ...{ code: 'WARP_E_CONFIG', message: expect.stringContaining('is no socket') },
  })
  expect(lstatSync(file).isFile()).toBe(true)
})

test('a socket elsewhere is found from the folder, and nobody else may use it', async () => {
  const folder = temporaryFolder()
  const elsewhere = path.join(temporaryFolder(), 'w.sock')
  symlinkSync('/nowhere', path.join(folder, 'control.sock'))
  const placed = await ControlServer.open(warp, { data: folder, path: elsewhere })
  expect([placed.path, statSync(elsewhere).mode & 0o777]).toEqual([elsewhere, 0o600])
  expect(await connectControl(folder, NEVER)).toBeDefined()
  await placed.close()
  expect([existsSync(elsewhere), existsSync(path.join(folder, 'control.sock'))]).toEqual([false, false])
  const long = path.join(folder, 'x'.repeat(100))
  await expect(ControlServer.open(warp, { path: long })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
})

test('a command that is interrupted while a stopped replica does not answer ends at once', async () => {
  const folder = temporaryFolder()
  const mute = createServer().listen(path.join(folder, 'control.sock'))
  onTestFinished(() => void mute.close())
  await once(mute, 'listening')
  const interruption = new AbortController()
  const startedMs = performance.now()
  const connecting = connectControl(folder, interruption.signal)
  mute.once('connection', () => interruption.abort())
  await expect(connecting).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  expect(performance.now() - startedMs).toBeLessThan(4000)
})
