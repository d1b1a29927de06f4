/** What goes on: MONITOR, SLOWLOG, LATENCY, MEMORY, and CLIENT PAUSE. */
import type { Call, Command } from '../../call/command.ts'
import { FIRST_KEY } from '../../call/command.ts'
import { viewOf, type KeyView } from '../../call/key-facts.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { parseWhole } from '../../protocol/numbers.ts'

const ADMIN = { flags: ['admin', 'noscript', 'loading', 'stale'], group: 'server' } as const
const CLIENT = { flags: ['admin', 'noscript', 'loading', 'stale'], group: 'connection' } as const

export const OVERSIGHT_COMMANDS: readonly Command[] = [
  {
    ...ADMIN,
    name: 'MONITOR',
    arity: 1,
    since: '1.0.0',
    summary: 'Shows this connection every command that runs.',
    run({ reply, core, client }: Call): void {
      core.monitors.add(client)
      reply.ok()
    },
  },
  { ...ADMIN, name: 'SLOWLOG GET', arity: -2, since: '2.2.12', summary: 'Commands that took long.', run: slowLog },
  {
    ...ADMIN,
    name: 'SLOWLOG LEN',
    arity: 2,
    since: '2.2.12',
    summary: 'How many of them are kept.',
    run: ({ reply, core }) => reply.integer(core.slowLog.entries.length),
  },
  {
    ...ADMIN,
    name: 'SLOWLOG RESET',
    arity: 2,
    since: '2.2.12',
    summary: 'Forgets them.',
    run({ reply, core }: Call): void {
      core.slowLog.forget()
      reply.ok()
    },
  },
  {
    ...ADMIN,
    name: 'LATENCY LATEST',
    arity: 2,
    since: '2.8.13',
    summary: 'The last command that took longer than latency-monitor-threshold, and the longest.',
    run: latest,
  },
  {
    ...ADMIN,
    name: 'LATENCY HISTORY',
    arity: 3,
    since: '2.8.13',
    summary: 'How long such commands took, second by second; the event is `command`.',
    run: history,
  },
  {
    ...ADMIN,
    name: 'LATENCY RESET',
    arity: -2,
    since: '2.8.13',
    summary: 'Forgets what took long.',
    run: ({ reply, core }, args) =>
      reply.integer((args.length === 2 || args.slice(2).includes(EVENT)) && core.slowLog.forgetLatencies() ? 1 : 0),
  },
  {
    flags: ['readonly'],
    group: 'server',
    keys: { ...FIRST_KEY, first: 2, last: 2 },
    name: 'MEMORY USAGE',
    arity: -3,
    since: '4.0.0',
    summary: 'About how many bytes a key holds here, by a few of its entries.',
    run: memoryUsage,
  },
  { ...CLIENT, name: 'CLIENT PAUSE', arity: -3, since: '3.0.0', summary: 'Has commands wait for a while.', run: pause },
  {
    ...CLIENT,
    name: 'CLIENT UNPAUSE',
    arity: 2,
    since: '6.2.0',
    summary: 'Lets them go on.',
    run({ reply, core }: Call): void {
      core.pause.end()
      reply.ok()
    },
  },
]

/** The only one that is measured. */
const EVENT = 'command'
const SHOWN = 10

function slowLog({ reply, core }: Call, args: readonly string[]): void {
  if (args.length > 3) throw new ReplyError("ERR wrong number of arguments for 'slowlog|get' command")
  const count = args[2] === undefined ? SHOWN : parseWhole(args[2])
  if (count === undefined) throw new ReplyError('ERR value is not an integer or out of range')
  if (count < -1) throw new ReplyError('ERR count should be greater than or equal to -1')
  const { entries } = core.slowLog
  const shown = count === -1 ? entries : entries.slice(0, Number(count))
  reply.array(shown.length)
  for (const { id, atMs, tookMs, args: words, address, clientName } of shown) {
    reply.array(6)
    reply.integer(id)
    reply.integer(Math.floor(atMs / 1000))
    reply.integer(Math.round(tookMs * 1000))
    reply.bulks(words)
    reply.bulk(address)
    reply.bulk(clientName)
  }
}

function latest({ reply, core }: Call): void {
  const { latencies, latencyMaxMs } = core.slowLog
  const last = latencies.at(-1)
  reply.array(last === undefined ? 0 : 1)
  if (last === undefined) return
  reply.array(4)
  reply.bulk(EVENT)
  reply.integer(last.atSeconds)
  reply.integer(last.tookMs)
  reply.integer(latencyMaxMs)
}

function history({ reply, core }: Call, [, , event]: readonly string[]): void {
  const shown = event === EVENT ? core.slowLog.latencies : []
  reply.array(shown.length)
  for (const { atSeconds, tookMs } of shown) {
    reply.array(2)
    reply.integer(atSeconds)
    reply.integer(tookMs)
  }
}

/** A key, its place in the tables, and its newest operation, about. */
const BYTES_PER_KEY = 300
const BYTES_PER_ENTRY = 96
const SAMPLES = 5
const SAMPLES_MAX = 10_000

function memoryUsage(call: Call, args: readonly string[]): void {
  const view = viewOf(call, args[2]!)
  if (args.length > 3 && (args.length !== 5 || args[3]!.toUpperCase() !== 'SAMPLES')) throw syntaxError()
  const given = args[4] === undefined ? SAMPLES : parseWhole(args[4])
  if (given === undefined || given < 0) throw new ReplyError('ERR value is not an integer or out of range')
  if (view.kind === undefined) {
    call.reply.null()
    return
  }
  const samples = given === 0 ? SAMPLES_MAX : Math.min(Number(given), SAMPLES_MAX)
  call.reply.integer(BYTES_PER_KEY + args[2]!.length + Math.ceil(heldBytes(view, samples)))
}

function heldBytes(view: KeyView, samples: number): number {
  if (view.kind === 'string') return view.text?.length ?? 0
  const lengths: number[] = []
  if (view.kind === 'list') {
    for (const element of view.elementsFrom(0)) if (lengths.push(element.length) >= samples) break
  } else {
    for (let place = 0; place < Math.min(samples, view.entries.size); place++) {
      const name = view.entries.at(place)?.name ?? ''
      lengths.push(name.length + (view.field(name)?.length ?? 0))
    }
  }
  const mean = lengths.reduce((sum, one) => sum + one, 0) / Math.max(1, lengths.length)
  return view.size * (BYTES_PER_ENTRY + mean)
}

const PAUSE_MS_MAX = 86_400_000

function pause({ reply, core }: Call, args: readonly string[]): void {
  const ms = parseWhole(args[2]!)
  if (ms === undefined) throw new ReplyError('ERR timeout is not an integer or out of range')
  if (ms < 0) throw new ReplyError('ERR timeout is negative')
  if (ms > PAUSE_MS_MAX) throw new ReplyError(`ERR a pause takes ${PAUSE_MS_MAX} ms at most`)
  const how = args[3]?.toUpperCase() ?? 'ALL'
  if (args.length > 4 || (how !== 'ALL' && how !== 'WRITE'))
    throw new ReplyError('ERR CLIENT PAUSE mode must be WRITE or ALL')
  core.pause.begin(Number(ms), how === 'ALL')
  reply.ok()
}
