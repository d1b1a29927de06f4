/** ACL: users are held to commands, keys and channels at every command, also in transactions and scripts. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openWarp, type Warp } from '../../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../../crdt/index.ts'
import { describeOn } from '../../../support/servers.ts'
import { RawClient, shown } from '../../../support/resp/raw-client.ts'

/** Of `secret`. */
const HASH = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'

let warp: Warp<{ '*': Redis }>
let server: RespServer

beforeAll(async () => {
  warp = await openWarp({ keys: { '*': redis() } })
  server = await respServer(warp, { port: 0 })
})

afterAll(async () => {
  await server.close()
  await warp.close()
})

async function connect(port = server.port): Promise<RawClient> {
  const client = await RawClient.open(port)
  onTestFinished(() => client.close())
  return client
}

/** A connection of a user that has just been made of these rules. */
async function user(name: string, ...rules: readonly string[]): Promise<RawClient> {
  const admin = await connect()
  expect(shown(await admin.ask('ACL', 'SETUSER', name, 'on', '>secret', ...rules))).toBe('+OK')
  const client = await connect()
  expect(shown(await client.ask('AUTH', name, 'secret'))).toBe('+OK')
  return client
}

const repliesOf = async (client: RawClient, ...requests: readonly string[][]): Promise<string[]> =>
  (await client.askAll(requests)).map(shown)

test('a rule that comes later counts for more', async () => {
  const client = await user('later', '~*', '+@all', '-@dangerous', '-set', '+client|list', '+@read', '-get')
  expect(
    await repliesOf(
      client,
      ['FLUSHALL'],
      ['SET', 'a', '1'],
      ['GET', 'a'],
      ['STRLEN', 'a'],
      ['CLIENT', 'ID'],
      ['DEL', 'a'],
    ),
  ).toEqual([
    "-NOPERM this user has no permissions to run the 'flushall' command",
    "-NOPERM this user has no permissions to run the 'set' command",
    "-NOPERM this user has no permissions to run the 'get' command",
    ...[':0', expect.stringMatching(/^:/), ':0'],
  ])
})

test('every key of a command has to fit a pattern', async () => {
  const client = await user('keys', '~mine:*', '+@all')
  expect(await repliesOf(client, ['MSET', 'mine:a', '1', 'mine:b', '2'], ['MGET', 'mine:a', 'other'])).toEqual([
    '+OK',
    '-NOPERM this user has no permissions to access one of the keys used as arguments',
  ])
  expect(await repliesOf(client, ['EVAL', "return redis.call('GET', 'other')", '0'])).toEqual([
    expect.stringMatching(/^-NOPERM this user has no permissions to access one of the keys/),
  ])
})

test('channels are named one by one, and patterns of channels as the rules have them', async () => {
  const client = await user('channels', '+@all', '&news:*')
  expect(
    await repliesOf(client, ['PUBLISH', 'news:a', 'x'], ['PUBLISH', 'other', 'x'], ['PSUBSCRIBE', 'news:a*']),
  ).toEqual([
    ':0',
    '-NOPERM this user has no permissions to access one of the channels used as arguments',
    '-NOPERM this user has no permissions to access one of the channels used as arguments',
  ])
  expect(shown(await client.ask('PSUBSCRIBE', 'news:*'))).toBe('*["psubscribe" "news:*" :1]')
})

test('what was refused in a transaction discards it', async () => {
  const client = await user('transactions', '~*', '+multi', '+exec', '+get')
  expect(await repliesOf(client, ['MULTI'], ['DEL', 'a'], ['EXEC'])).toEqual([
    '+OK',
    "-NOPERM this user has no permissions to run the 'del' command",
    '-EXECABORT Transaction discarded because of previous errors.',
  ])
})

test('rules that are taken away hold for connections that are there, and listeners are sent away', async () => {
  const client = await user('changed', '~*', '&*', '+@all', '-flushall')
  const admin = await connect()
  await client.ask('GET', 'a')
  await admin.ask('ACL', 'SETUSER', 'changed', '-get')
  expect(shown(await client.ask('GET', 'a'))).toMatch(/^-NOPERM/)
  await client.ask('SUBSCRIBE', 'news')
  await admin.ask('ACL', 'SETUSER', 'changed', 'resetchannels', '&other')
  expect(await client.rest()).toBe('')
})

test('a user that is removed is sent away, one that is off lets nobody in, and the default user stays', async () => {
  const [client, admin, other] = [await user('gone', '+@all'), await connect(), await connect()]
  await admin.ask('ACL', 'SETUSER', 'gone', 'off')
  expect(shown(await client.ask('PING'))).toBe('+PONG')
  expect(shown(await other.ask('AUTH', 'gone', 'secret'))).toMatch(/^-WRONGPASS/)
  expect(shown(await admin.ask('ACL', 'DELUSER', 'gone', 'nobody'))).toBe(':1')
  expect(await client.rest()).toBe('')
  expect(shown(await admin.ask('ACL', 'DELUSER', 'default'))).toBe("-ERR The 'default' user cannot be removed")
})

test('all rules of a SETUSER hold, or none', async () => {
  const admin = await connect()
  expect(shown(await admin.ask('ACL', 'SETUSER', 'half', 'on', '+nosuch'))).toBe(
    "-ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL",
  )
  expect(shown(await admin.ask('ACL', 'GETUSER', 'half'))).toBe('nil')
})

test('once the default user has a password, whoever connects needs it', async () => {
  const own = await respServer(warp, { port: 0 })
  onTestFinished(() => own.close())
  const admin = await connect(own.port)
  await admin.ask('ACL', 'SETUSER', 'default', '>secret')
  const client = await connect(own.port)
  expect(await repliesOf(client, ['GET', 'a'], ['AUTH', 'wrong'], ['AUTH', 'secret'], ['ACL', 'WHOAMI'])).toEqual([
    '-NOAUTH Authentication required.',
    '-WRONGPASS invalid username-password pair or user is disabled.',
    ...['+OK', '"default"'],
  ])
})

test('ACL LOG shows what was refused to whom, the same thing once', async () => {
  const client = await user('logged', '~a', '+get')
  const admin = await connect()
  await admin.ask('ACL', 'LOG', 'RESET')
  await client.askAll([
    ['GET', 'b'],
    ['GET', 'b'],
    ['SET', 'a', '1'],
    ['AUTH', 'nobody', 'x'],
  ])
  const text = shown(await admin.ask('ACL', 'LOG'))
  expect(text.match(/"count" :\d+ "reason" "\w+" "context" "\w+" "object" "\w+" "username" "\w+"/g)).toEqual([
    '"count" :1 "reason" "auth" "context" "toplevel" "object" "AUTH" "username" "nobody"',
    '"count" :1 "reason" "command" "context" "toplevel" "object" "set" "username" "logged"',
    '"count" :2 "reason" "key" "context" "toplevel" "object" "b" "username" "logged"',
  ])
})

test('what a user may do can be asked without doing it', async () => {
  const admin = await connect()
  await admin.ask('ACL', 'SETUSER', 'dry', '~a', '+get')
  expect(
    await repliesOf(
      admin,
      ['ACL', 'DRYRUN', 'dry', 'GET', 'a'],
      ['ACL', 'DRYRUN', 'dry', 'GET', 'b'],
      ['ACL', 'DRYRUN', 'dry', 'DEL', 'a'],
    ),
  ).toEqual([
    '+OK',
    `"User dry has no permissions to access the 'b' key"`,
    `"User dry has no permissions to run the 'del' command"`,
  ])
  await admin.ask('ACL', 'DELUSER', 'dry')
})

test('users of the options are held to commands that there are', async () => {
  await expect(respServer(warp, { port: 0, users: { a: { password: 'p', commands: ['@nosuch'] } } })).rejects.toThrow(
    'Unknown command or category name',
  )
})

describeOn('valkey', 'users are shown as Valkey shows them', (url) => {
  test.each([
    [['reset']],
    [['on', '>secret', '~*', '&*', '+@all']],
    [['on', 'nopass', '~a:*', '~b:*', '+get', '+@hash', '-hdel']],
    [['on', `#${HASH}`, 'allkeys', 'resetchannels', '&x', 'allcommands', '-flushall']],
    [['>secret', '<secret']],
    [['>secret', 'nopass']],
    [['<nothing']],
    [['#short']],
    [['~*', '~a']],
    [['&*', '&a']],
    [['+@nosuch']],
    [['+nosuch']],
    [['nosuch']],
    [['+get', '-get', '+get']],
    [['+client|list', '+client']],
    [['+client', '-client|kill']],
    [['+@all', '-@all', '+get']],
    [['~', 'on']],
    [['allcommands', 'nocommands']],
  ])('%j', async (rules) => {
    const both = [await connect(Number(new URL(url).port)), await connect()]
    const seen: string[][] = []
    for (const client of both) {
      await client.ask('ACL', 'DELUSER', 'shown')
      const replies = await repliesOf(
        client,
        ['ACL', 'SETUSER', 'shown', ...rules],
        ['ACL', 'GETUSER', 'shown'],
        ['ACL', 'LIST'],
      )
      const [set, got, list] = replies as [string, string, string]
      // Databases are what Valkey 9 has beyond Redis.
      seen.push([set, got.replace('"databases" "alldbs" ', ''), /"user shown [^"]*"/.exec(list)?.[0] ?? ''])
      await client.ask('ACL', 'DELUSER', 'shown')
    }
    expect(seen[1]).toEqual(seen[0])
  })
})
