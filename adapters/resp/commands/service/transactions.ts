/**
 * MULTI, EXEC, WATCH: commands that are gathered and run in one turn, so that nobody here reads between
 * two of them; a crash leaves all that they wrote, or nothing.
 */
import type { Client, Watched } from '../../connections/client.ts'
import type { Call, Command } from '../../call/command.ts'
import { keyPlaces } from '../../call/command-facts.ts'
import { ALL_KEYS } from '../../call/command.ts'
import { isThere } from '../../call/key-facts.ts'
import { ReplyError } from '../../call/reply-error.ts'

const FLAGS = ['noscript', 'loading', 'stale', 'fast', 'allow_busy', 'unqueued'] as const
const BASE = { flags: FLAGS, group: 'transactions' } as const

export const TRANSACTION_COMMANDS: readonly Command[] = [
  { ...BASE, name: 'MULTI', arity: 1, since: '1.2.0', summary: 'Gathers the commands that follow.', run: multi },
  { ...BASE, name: 'EXEC', arity: 1, since: '1.2.0', summary: 'Runs what was gathered, as one.', run: exec },
  { ...BASE, name: 'DISCARD', arity: 1, since: '2.0.0', summary: 'Forgets what was gathered.', run: discard },
  {
    ...BASE,
    name: 'WATCH',
    arity: -2,
    keys: ALL_KEYS,
    since: '2.2.0',
    summary: 'Has the next EXEC run nothing if one of the keys has changed by then, by what has arrived here.',
    run: watch,
  },
  {
    ...BASE,
    name: 'UNWATCH',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    since: '2.2.0',
    summary: 'Forgets the keys of WATCH.',
    run: unwatch,
  },
]

export function forgetTransaction(client: Client): void {
  client.gathered = undefined
  client.watched.clear()
}

function multi({ reply, client }: Call): void {
  if (client.gathered !== undefined) {
    refuse(reply, 'ERR MULTI calls can not be nested')
    return
  }
  client.gathered = { requests: [], bytes: 0, isRefused: false }
  reply.ok()
}

/** A refusal after which the transaction goes on. */
function refuse(reply: Call['reply'], text: string): void {
  reply.error(text)
}

function discard({ reply, client }: Call): void {
  if (client.gathered === undefined) throw new ReplyError('ERR DISCARD without MULTI')
  forgetTransaction(client)
  reply.ok()
}

function watch(call: Call, args: readonly string[]): void {
  const { reply, client, keys } = call
  if (client.gathered !== undefined) {
    refuse(reply, 'ERR WATCH inside MULTI is not allowed')
    return
  }
  for (const key of args.slice(1)) {
    if (client.watched.has(key)) continue
    client.watched.set(key, { version: keys.version(key), isThere: isThere(call, key) })
  }
  reply.ok()
}

function exec(call: Call): void | Promise<void> {
  const { client, reply } = call
  const { gathered } = client
  if (gathered === undefined) throw new ReplyError('ERR EXEC without MULTI')
  const watched = [...client.watched]
  forgetTransaction(client)
  if (gathered.isRefused) throw new ReplyError('EXECABORT Transaction discarded because of previous errors.')
  const run = (): void => {
    if (hasChanged(call, watched)) reply.nullArray()
    else runAll(call, gathered.requests)
  }
  const long = longKeys(call, gathered.requests)
  if (long.length === 0) {
    run()
    return
  }
  // Others write meanwhile.
  return foldAll(call, long).then(run)
}

/** Whether a watched key is another one than at WATCH: written, or its life is over. */
function hasChanged(call: Call, watched: readonly (readonly [string, Watched])[]): boolean {
  const { keys } = call
  return watched.some(
    ([key, { version, isThere: wasThere }]) =>
      keys.version(key) !== version || (!keys.isLong(key) && isThere(call, key) !== wasThere),
  )
}

/** Replies that are too long to be held are left out; the commands are carried out. */
function runAll(call: Call, requests: readonly (readonly string[])[]): void {
  const { reply, keys, core } = call
  const inside = { ...call, mayWait: false }
  const begun = reply.length
  let isTooLong = false
  reply.array(requests.length)
  keys.together(() => {
    for (const args of requests) {
      // Whatever a command throws is its reply.
      void core.run(inside, core.find(args), args)
      if (reply.length - begun <= core.settings.outputBytesMax) continue
      isTooLong = true
      reply.cut(begun)
    }
  })
  if (!isTooLong) return
  reply.cut(begun)
  throw new ReplyError('ERR the commands have been carried out, and their replies are too long to be sent')
}

/** Keys with histories that take more than a step to fold. */
function longKeys({ keys, core }: Call, requests: readonly (readonly string[])[]): string[] {
  const long: string[] = []
  for (const args of requests)
    for (const place of keyPlaces(core.find(args), args)) if (keys.isLong(args[place]!)) long.push(args[place]!)
  return long
}

async function foldAll({ keys }: Call, long: readonly string[]): Promise<void> {
  for (const key of long) await keys.fold(key)
}

function unwatch({ reply, client }: Call): void {
  client.watched.clear()
  reply.ok()
}
