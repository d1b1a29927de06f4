/**
 * The judge: a server that is what the sidecar wants to be answers the same requests, and each reply has to
 * be the same. What is not said by the protocol (the order of a set, milliseconds that have passed) is made
 * the same before; what the judge itself does otherwise than Redis 7.0.15 is named in `EXPLAINED`.
 */
import { expect } from 'vitest'
import { RawClient, shown } from './raw-client.ts'
import type { Reply } from './reply-reader.ts'

export type Request = readonly string[]

/** Replies in which the order says nothing. */
const UNORDERED: ReadonlySet<string> = new Set([
  ...['KEYS', 'SMEMBERS', 'SINTER', 'SUNION', 'SDIFF', 'HKEYS', 'HVALS', 'SSCAN', 'HSCAN', 'ZSCAN', 'SCAN', 'PUBSUB'],
])
/** Replies with pairs in any order. */
const UNORDERED_PAIRS: ReadonlySet<string> = new Set(['HGETALL'])
/** Replies that count what has passed: so much may lie between, in their unit. */
const CLOCKS: Readonly<Record<string, bigint>> = { TTL: 1n, PTTL: 2000n, EXPIRETIME: 1n, PEXPIRETIME: 2000n }
/** Files of one run are compared side by side, each worker in a database of its own. */
export const JUDGE_DATABASE = String(1 + (Number(process.env['VITEST_POOL_ID'] ?? 0) % 15))
/** Replies that nobody can foresee. */
const FREE: ReadonlySet<string> = new Set(['RANDOMKEY', 'SRANDMEMBER', 'SPOP', 'HRANDFIELD', 'ZRANDMEMBER', 'TIME'])

export type JudgeName = 'Valkey' | 'Redis'

export interface Explained {
  /** In words, for docs/sidecar.md. */
  readonly why: string
  /** Of both if left out. */
  readonly of?: JudgeName
  readonly fits: (request: Request, judge: string, own: string) => boolean
}

const isError = (text: string): boolean => text.startsWith('-')
/** Of a scan that goes on. */
const isPage = (text: string): boolean => /^array\["[1-9]/.test(text)
const name = (request: Request): string => request[0]!.toUpperCase()

/** Valkey differs from Redis 7.0.15 there, which the sidecar follows; or the sidecar differs on purpose. */
export const EXPLAINED: readonly Explained[] = [
  {
    why: 'Valkey refuses MULTI and WATCH inside MULTI in other words, and then the transaction',
    of: 'Valkey',
    fits: (request, judge) => ['MULTI', 'WATCH', 'EXEC'].includes(name(request)) && isError(judge),
  },
  {
    why: 'INCRBYFLOAT sums decimals exactly, and shows 17 places: Redis shows the noise of 80 binary digits',
    fits: (request, judge, own) =>
      ['INCRBYFLOAT', 'GET'].includes(name(request)) && areNear(Number(unquoted(judge)), Number(unquoted(own))),
  },
  {
    why: 'OBJECT ENCODING says what Redis 7.0 says; Valkey holds more in listpacks and in place, and APPEND leaves no mark',
    fits: (request) => name(request) === 'OBJECT' && request[1]?.toUpperCase() === 'ENCODING',
  },
  {
    why: 'Valkey refuses GETEX with a wrong time also where there is no key',
    of: 'Valkey',
    fits: (request, judge, own) => name(request) === 'GETEX' && isError(judge) && own === 'nil',
  },
  {
    why: 'Valkey takes one bound of BITCOUNT, and looks at the bounds of BITCOUNT and BITPOS also where there is no key',
    of: 'Valkey',
    fits: (request, judge, own) =>
      (['BITCOUNT', 'BITPOS'].includes(name(request)) && isError(judge)) ||
      (name(request) === 'BITCOUNT' && request.length === 3 && own === '-ERR syntax error'),
  },
  {
    why: 'OBJECT REFCOUNT: Redis says 2147483647 of small whole numbers, which it keeps once',
    of: 'Redis',
    fits: (request, judge, own) => name(request) === 'OBJECT' && judge === ':2147483647' && own === ':1',
  },
  {
    why: 'SSCAN with COUNT: Redis 7.0 gives small sets of texts in pages, the sidecar and Valkey at once',
    of: 'Redis',
    fits: (request, judge, own) =>
      name(request) === 'SSCAN' && request.length > 3 && isPage(judge) && own.startsWith('array["0"'),
  },
  {
    why: 'COMMAND GETKEYS of a name alone: Redis 7.0 wants an argument behind it before it looks at the name',
    of: 'Redis',
    fits: (request, judge) => name(request) === 'COMMAND' && request.length === 3 && isError(judge),
  },
  {
    why: 'Valkey names the command of an unbalanced XREAD in quotes and in lower case',
    of: 'Valkey',
    fits: (_request, judge, own) => judge.startsWith('-ERR Unbalanced') && own.startsWith('-ERR Unbalanced'),
  },
  {
    why: 'SCAN: cursors are others, pages hold other keys, and of unknown types Valkey says an error',
    fits: (request) => name(request) === 'SCAN',
  },
]

/** Two texts of what is one sum, up to the digits that a double has. */
function areNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= Math.max(Math.abs(a), 1e-3) * 1e-15
}

function unquoted(text: string): string {
  return text.startsWith('"') ? (JSON.parse(text) as string) : text
}

/** A reply as it counts. */
function normal(request: Request, reply: Reply): string {
  const command = name(request)
  if (reply.kind === 'error') return shown(reply)
  if (FREE.has(command)) return `(${reply.kind})`
  if (!('items' in reply)) return shown(reply)
  if (UNORDERED_PAIRS.has(command)) return pairsOf(reply.items).sort().join(' ')
  if (!UNORDERED.has(command)) return shown(reply)
  const inner = reply.items.map((item) => ('items' in item ? item.items.map(shown).sort().join(' ') : shown(item)))
  return `${reply.kind}[${inner.sort().join(' ')}]`
}

function pairsOf(items: readonly Reply[]): string[] {
  const pairs: string[] = []
  for (let i = 0; i < items.length; i += 2) pairs.push(`${shown(items[i]!)}=${shown(items[i + 1]!)}`)
  return pairs
}

function isNear(request: Request, judge: Reply, own: Reply): boolean {
  const most = CLOCKS[name(request)]
  if (most === undefined || judge.kind !== 'integer' || own.kind !== 'integer') return false
  if (judge.value < 0n || own.value < 0n) return judge.value === own.value
  const apart = judge.value - own.value
  return (apart < 0n ? -apart : apart) <= most
}

export class Judged {
  readonly #name: JudgeName
  readonly #judge: RawClient
  readonly #own: RawClient
  /** How many replies were compared. */
  comparedCount = 0
  readonly explainedCounts: Map<string, number> = new Map<string, number>()

  private constructor(name: JudgeName, judge: RawClient, own: RawClient) {
    this.#name = name
    this.#judge = judge
    this.#own = own
  }

  static async open(of: JudgeName, judgePort: number, ownPort: number, protocol: 2 | 3): Promise<Judged> {
    const [judge, own] = [await RawClient.open(judgePort), await RawClient.open(ownPort)]
    for (const client of [judge, own]) await client.ask('HELLO', String(protocol))
    // Others use the judge as well.
    await judge.ask('SELECT', JUDGE_DATABASE)
    return new Judged(of, judge, own)
  }

  /** Sends all of them to both, from nothing, and compares. */
  async compare(requests: readonly Request[]): Promise<void> {
    for (const client of [this.#judge, this.#own]) await client.askAll([['DISCARD'], ['UNWATCH'], ['FLUSHDB']])
    const [judged, own] = await Promise.all([this.#judge.askAll(requests), this.#own.askAll(requests)])
    for (const [i, request] of requests.entries()) {
      this.comparedCount++
      if (isNear(request, judged[i]!, own[i]!)) continue
      const [there, here] = [normal(request, judged[i]!), normal(request, own[i]!)]
      if (there === here || this.#isExplained(request, there, here)) continue
      const before = requests.slice(0, i).map((one) => one.join(' '))
      expect({ request: request.join(' '), reply: here, before }).toEqual({
        request: request.join(' '),
        reply: there,
        before,
      })
    }
  }

  close(): void {
    for (const client of [this.#judge, this.#own]) client.close()
  }

  #isExplained(request: Request, judge: string, own: string): boolean {
    const found = EXPLAINED.find(({ of = this.#name, fits }) => of === this.#name && fits(request, judge, own))
    if (found === undefined) return false
    this.explainedCounts.set(found.why, (this.explainedCounts.get(found.why) ?? 0) + 1)
    return true
  }
}
