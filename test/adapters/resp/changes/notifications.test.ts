/** Keyspace notifications: the same events as Valkey's after the same commands, and events of what no client did. */
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { memoryNetwork } from '../../../../adapters/memory/index.ts'
import { openWarp, type Warp } from '../../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../../crdt/index.ts'
import { describeOn } from '../../../support/servers.ts'
import { byExtent } from '../../../support/extent.ts'
import { JUDGE_DATABASE, type Request } from '../../../support/resp/judged.ts'
import type { Reply } from '../../../support/resp/reply-reader.ts'
import { RawClient, shown } from '../../../support/resp/raw-client.ts'
import {
  HASH_REQUESTS,
  LIST_REQUESTS,
  SET_REQUESTS,
  SORTED_SET_REQUESTS,
} from '../../../support/resp/collection-requests.ts'
import { GENERIC_REQUESTS, sequenceOf, STRING_REQUESTS } from '../../../support/resp/requests.ts'

const REQUESTS_MAX = 25
/** What pops by chance says nothing of the next run. */
const FREE = /^(?:SPOP|RANDOMKEY|SRANDMEMBER|OBJECT|KEYS|SCAN|DBSIZE)$/

/**
 * An event tells of an operation, so who writes none tells of none: a LTRIM that takes nothing, an APPEND of
 * nothing; a sum that stays what it was (by 0, or of what is infinite) is one. Valkey does otherwise.
 */
function mayChangeNothing([name, , second, ...more]: Request): boolean {
  if (name === 'LTRIM' || name === 'ZINCRBY') return true
  return (name === 'APPEND' && second === '') || (name === 'ZADD' && [second, ...more].includes('INCR'))
}

const network = memoryNetwork()
/** One alone, to be compared, and two that hear each other. */
let [alone, near, far]: Warp<{ '*': Redis }>[] = []
let [lonely, server]: RespServer[] = []

beforeAll(async () => {
  alone = await openWarp({ keys: { '*': redis() } })
  near = await openWarp({ keys: { '*': redis() }, transports: [network.transport('a')] })
  far = await openWarp({ keys: { '*': redis() }, transports: [network.transport('b')] })
  lonely = await respServer(alone, { port: 0 })
  server = await respServer(near, { port: 0 })
})

afterAll(async () => {
  for (const one of [lonely, server, alone, near, far]) await one!.close()
})

/** A client that acts and one that listens to the events of a database. */
class Pair {
  readonly speaker: RawClient
  readonly #listener: RawClient
  readonly #database: string

  private constructor(speaker: RawClient, listener: RawClient, database: string) {
    this.speaker = speaker
    this.#listener = listener
    this.#database = database
  }

  static async open(port: number, database: string): Promise<Pair> {
    const [speaker, listener] = [await RawClient.open(port), await RawClient.open(port)]
    if (database !== '0') await speaker.ask('SELECT', database)
    await listener.ask('PSUBSCRIBE', `__key*@${database}__:*`)
    return new Pair(speaker, listener, database)
  }

  async choose(flags: string): Promise<void> {
    expect(shown(await this.speaker.ask('CONFIG', 'SET', 'notify-keyspace-events', flags))).toBe('+OK')
  }

  /** The same of what is told next, whoever did it. */
  async nextEvents(count: number): Promise<string[]> {
    const events: string[] = []
    while (events.length < count) events.push(eventOf(await this.#listener.reply()).join(' '))
    return events
  }

  /** `event key` of each, in their order, told twice: by the channel of the key and by that of the event. */
  async eventsOf(requests: readonly Request[]): Promise<string[]> {
    await this.speaker.askAll(requests)
    await this.speaker.ask('PUBLISH', `__keyevent@${this.#database}__:over`, '')
    const events: string[] = []
    for (;;) {
      const [kind, event, key] = eventOf(await this.#listener.reply())
      if (event === 'over') return events
      // Valkey says of a life that had ended before it began what Redis 7.0 says of lives that end later.
      events.push(`${kind} ${event === 'expired' ? 'del' : event} ${key}`)
    }
  }

  close(): void {
    for (const client of [this.speaker, this.#listener]) client.close()
  }
}

/** By which channel, which event, of which key. */
function eventOf(message: Reply): [string, string, string] {
  const [, , channel, payload] =
    'items' in message ? message.items.map((item) => ('text' in item ? item.text : '')) : []
  const [, kind, name] = /^__key(space|event)@\d+__:([\s\S]*)$/.exec(channel!)!
  return kind === 'space' ? [kind, payload!, name!] : [kind!, name!, payload!]
}

describeOn('valkey', 'events are those of Valkey', (url) => {
  let [judge, own]: Pair[] = []

  beforeEach(async () => {
    judge = await Pair.open(Number(new URL(url).port), JUDGE_DATABASE)
    own = await Pair.open(lonely!.port, '0')
  })

  afterEach(async () => {
    for (const pair of [judge!, own!]) {
      await pair.choose('')
      pair.close()
    }
  })

  test.each([
    ['strings', STRING_REQUESTS],
    ['keys of any type', fc.oneof(STRING_REQUESTS, LIST_REQUESTS, GENERIC_REQUESTS)],
    ['hashes', HASH_REQUESTS],
    ['sets', SET_REQUESTS],
    ['sorted sets', SORTED_SET_REQUESTS],
    ['lists', LIST_REQUESTS],
  ])('%s', async (_name, requests) => {
    const told = requests.filter((one) => !FREE.test(one[0]!.toUpperCase()) && !mayChangeNothing(one))
    for (const pair of [judge!, own!]) await pair.choose('AKEn')
    await fc.assert(
      fc.asyncProperty(sequenceOf(told, REQUESTS_MAX), async (all) => {
        for (const { speaker } of [judge!, own!]) await speaker.ask('FLUSHDB')
        const [there, here] = [await judge!.eventsOf(all), await own!.eventsOf(all)]
        expect({ events: here, all: all.map((one) => one.join(' ')) }).toEqual({
          events: there,
          all: all.map((one) => one.join(' ')),
        })
      }),
      { numRuns: byExtent({ some: 15, all: 60, soak: 5000 }) },
    )
  })
})

async function listening(flags: string): Promise<Pair> {
  const pair = await Pair.open(server!.port, '0')
  onTestFinished(async () => {
    await pair.choose('')
    pair.close()
  })
  await pair.choose(flags)
  return pair
}

test('what another replica and the application write is told by what the key holds now', async () => {
  const pair = await listening('AE')
  await far!.key('far').put(Date.now(), 'v')
  expect(await pair.nextEvents(1)).toEqual(['event set far'])
  await far!.key('far').delete()
  expect(await pair.nextEvents(1)).toEqual(['event del far'])
  await near!.key('near').join(Date.now(), ['m'])
  expect(await pair.nextEvents(1)).toEqual(['event sadd near'])
})

test('the end of a life is told as such', async () => {
  // Of two servers on one engine either may be the one that deletes.
  const engine = await openWarp({ keys: { '*': redis() } })
  const own = await respServer(engine, { port: 0 })
  onTestFinished(async () => {
    await own.close()
    await engine.close()
  })
  const pair = await Pair.open(own.port, '0')
  await pair.choose('Exg')
  await pair.speaker.ask('SET', 'short', '1', 'PX', '30')
  expect(await pair.nextEvents(2)).toEqual(['event expire short', 'event expired short'])
  pair.close()
})

test('what was taken for a client that waited is told as its command', async () => {
  const pair = await listening('KEA')
  const waiting = await RawClient.open(server!.port)
  onTestFinished(() => waiting.close())
  waiting.send('BLPOP queue 0\r\n')
  await pair.speaker.ask('PING')
  expect(await pair.eventsOf([['RPUSH', 'queue', 'job']])).toEqual([
    ...['space rpush queue', 'event rpush queue', 'space lpop queue', 'event lpop queue'],
    ...['space del queue', 'event del queue'],
  ])
})

test('only the classes that were chosen are told, and only by the channels that were', async () => {
  const pair = await listening('K$')
  const requests = [
    ['SET', 'chosen', '1'],
    ['DEL', 'chosen'],
    ['GET', 'chosen'],
    ['SADD', 'chosen', 'm'],
  ]
  expect(await pair.eventsOf(requests)).toEqual(['space set chosen'])
  await pair.choose('Em')
  expect(
    await pair.eventsOf([
      ['GET', 'nothing'],
      ['OBJECT', 'ENCODING', 'nothing'],
    ]),
  ).toEqual(['event keymiss nothing'])
  await pair.choose('Elg')
  expect(
    await pair.eventsOf([
      ['SADD', 'gone', 'm'],
      ['FLUSHDB'],
      ['LPUSH', 'l', 'a'],
      ['EVAL', "redis.call('LTRIM', 'l', 1, 0)", '0'],
    ]),
  ).toEqual([...['event lpush l', 'event ltrim l', 'event del l']])
})

test.each([
  ['AKE', 'AKE'],
  ['g$lshzxetdKE', 'AKE'],
  ['KEx', 'xKE'],
  ['nmE', 'nEm'],
  ['', ''],
])('CONFIG SET notify-keyspace-events %s shows as %s', async (given, shownAs) => {
  const pair = await listening(given)
  const reply = await pair.speaker.ask('CONFIG', 'GET', 'notify-*')
  expect(shown(reply)).toBe(`*["notify-keyspace-events" "${shownAs}"]`)
})

test('a class that there is not is refused, and nothing changes', async () => {
  const pair = await listening('K$')
  expect(shown(await pair.speaker.ask('CONFIG', 'SET', 'maxclients', '5', 'notify-keyspace-events', 'Kq'))).toBe(
    "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
  )
  expect(shown(await pair.speaker.ask('CONFIG', 'GET', 'maxclients'))).toBe('*["maxclients" "10000"]')
})
