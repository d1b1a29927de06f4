import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer, type RespServerOptions } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { RawClient, request, shown } from '../../support/resp/raw-client.ts'

let warp: Warp<{ '*': Redis }>

beforeAll(async () => {
  warp = await openWarp({ keys: { '*': redis() } })
})

afterAll(() => warp.close())

async function serve(options: RespServerOptions = {}): Promise<RespServer> {
  const server = await respServer(warp, { port: 0, ...options })
  onTestFinished(() => server.close())
  return server
}

async function connect(server: RespServer): Promise<RawClient> {
  const client = await RawClient.open(server.port)
  onTestFinished(() => client.close())
  return client
}

test('beyond this machine a password is needed', async () => {
  await expect(respServer(warp, { port: 0, host: '0.0.0.0' })).rejects.toThrow('give a password, or users')
  expect((await serve({ host: '0.0.0.0', password: 'p' })).port).toBeGreaterThan(0)
})

test('an option that does not exist is refused', async () => {
  await expect(serve({ pasword: 'p' } as RespServerOptions)).rejects.toThrow("did you mean 'password'")
  await expect(serve({ users: { a: { password: '' } } })).rejects.toThrow('users: a: password')
  await expect(respServer({} as never, { port: 0 })).rejects.toThrow('respServer needs an engine that is open')
})

test('whoever has not given the password gets nothing, and is told of unknown commands first', async () => {
  const client = await connect(await serve({ password: 'secret' }))
  expect(shown(await client.ask('GET', 'a'))).toBe('-NOAUTH Authentication required.')
  expect(shown(await client.ask('NOSUCH'))).toMatch(/^-ERR unknown command/)
  expect(shown(await client.ask('GET'))).toMatch(/^-ERR wrong number/)
  expect(shown(await client.ask('HELLO', '3'))).toMatch(/^-NOAUTH HELLO must be called/)
  expect(shown(await client.ask('AUTH', 'wrong'))).toMatch(/^-WRONGPASS/)
  expect(shown(await client.ask('AUTH', 'secret'))).toBe('+OK')
  expect(shown(await client.ask('GET', 'a'))).toBe('nil')
  expect(shown(await client.ask('RESET'))).toBe('+RESET')
  expect(shown(await client.ask('GET', 'a'))).toMatch(/^-NOAUTH/)
  client.send('*11\r\n')
  expect(await client.rest()).toBe('-ERR Protocol error: unauthenticated multibulk length\r\n')
})

test('a user is held to commands and keys, also in a transaction', async () => {
  const users = { reader: { password: 'r', commands: ['@read', 'multi', 'exec'], keys: ['cart:*'] } }
  const client = await connect(await serve({ users }))
  expect(shown(await client.ask('HELLO', '2', 'AUTH', 'reader', 'r'))).toMatch(/^\*\["server"/)
  expect(shown(await client.ask('GET', 'cart:1'))).toBe('nil')
  expect(shown(await client.ask('GET', 'other'))).toMatch(
    /^-NOPERM this user has no permissions to access one of the keys/,
  )
  expect(shown(await client.ask('DEL', 'cart:1'))).toBe("-NOPERM this user has no permissions to run the 'del' command")
  const replies = await client.askAll([['MULTI'], ['DEL', 'cart:1'], ['EXEC']])
  expect(replies.map(shown)[2]).toMatch(/^-EXECABORT/)
})

test('who comes beyond the greatest number of clients is sent away', async () => {
  const server = await serve({ clientsMax: 1 })
  const [first, second] = [await connect(server), await connect(server)]
  expect(await second.rest()).toBe('-ERR max number of clients reached\r\n')
  expect(shown(await first.ask('PING'))).toBe('+PONG')
})

test('a subscriber that reads nothing is cut off, and others go on', async () => {
  const server = await serve({ outputBytesMax: 65_536 })
  const [slow, speaker] = [await connect(server), await connect(server)]
  await slow.ask('SUBSCRIBE', 'flood')
  slow.pause()
  const text = 'x'.repeat(60_000)
  for (let i = 0; i < 400 && server.counts.tooSlow === 0; i++) await speaker.ask('PUBLISH', 'flood', text)
  expect(server.counts.tooSlow).toBe(1)
  expect(shown(await speaker.ask('PING'))).toBe('+PONG')
})

test('a pipeline of many requests is answered, and whoever reads late is waited for', async () => {
  const client = await connect(await serve())
  await client.ask('SET', 'big', 'y'.repeat(1000))
  client.pause()
  client.send(request(['GET', 'big']).repeat(20_000))
  client.resume()
  for (let i = 0; i < 20_000; i++) expect((await client.reply()).kind).toBe('bulk')
})

test('what is under way is answered when the server closes, and nobody new is let in', async () => {
  const server = await respServer(warp, { port: 0 })
  const client = await RawClient.open(server.port)
  client.send('PING\r\n')
  expect(shown(await client.reply())).toBe('+PONG')
  await server.close()
  expect(await client.rest()).toBe('')
  await expect(RawClient.open(server.port)).rejects.toThrow('ECONNREFUSED')
})
