/**
 * EVAL and its kin: a script runs to its end in one turn, what it writes is one group of the log, and its
 * effects reach the other replicas, never the script.
 */
import { FoldFirst } from '../../../../src/api/direct/direct-keys.ts'
import { indexOf } from '../../call/arguments.ts'
import { countedKeys, type Call, type Command } from '../../call/command.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { ReplyWriter } from '../../protocol/reply-writer.ts'
import type { ScriptCall, ScriptHost } from '../../scripts/lua-machine.ts'

/** EVAL name, script, number of keys. */
const FIRST_OF_KEYS = 3
const LOG_LEVELS = ['debug', 'verbose', 'notice', 'warning'] as const

const RUNS = { arity: -3, group: 'scripting', findKeys: countedKeys(2) } as const
const SCRIPT = { flags: ['noscript'], group: 'scripting', since: '2.6.0' } as const

export const SCRIPTING_COMMANDS: readonly Command[] = [
  {
    ...RUNS,
    name: 'EVAL',
    flags: ['noscript', 'stale'],
    since: '2.6.0',
    summary: 'Runs a script in Lua.',
    run: (call, args) => evaluate(call, args, { isDigest: false, isReadOnly: false }),
  },
  {
    ...RUNS,
    name: 'EVALSHA',
    flags: ['noscript', 'stale'],
    since: '2.6.0',
    summary: 'Runs a script that is known, by its SHA-1.',
    run: (call, args) => evaluate(call, args, { isDigest: true, isReadOnly: false }),
  },
  {
    ...RUNS,
    name: 'EVAL_RO',
    flags: ['readonly', 'noscript', 'stale'],
    since: '7.0.0',
    summary: 'Runs a script that writes nothing.',
    run: (call, args) => evaluate(call, args, { isDigest: false, isReadOnly: true }),
  },
  {
    ...RUNS,
    name: 'EVALSHA_RO',
    flags: ['readonly', 'noscript', 'stale'],
    since: '7.0.0',
    summary: 'Runs a script that is known and writes nothing, by its SHA-1.',
    run: (call, args) => evaluate(call, args, { isDigest: true, isReadOnly: true }),
  },
  {
    ...SCRIPT,
    name: 'SCRIPT LOAD',
    arity: 3,
    summary: 'Has a script known, and answers its SHA-1.',
    run: (call, args) => withScripts(call, () => call.reply.bulk(call.core.scripts.add(args[2]!))),
  },
  {
    ...SCRIPT,
    name: 'SCRIPT EXISTS',
    arity: -3,
    summary: 'Says which scripts are known.',
    run: (call, args) =>
      withScripts(call, () => {
        const { reply, core } = call
        const known = args.slice(2).map((digest) => core.scripts.has(digest))
        reply.array(known.length)
        for (const isKnown of known) reply.integer(isKnown ? 1 : 0)
      }),
  },
  {
    ...SCRIPT,
    name: 'SCRIPT FLUSH',
    arity: -2,
    summary: 'Forgets all scripts.',
    run: (call, args) => withScripts(call, () => flush(call, args)),
  },
  {
    ...SCRIPT,
    name: 'SCRIPT KILL',
    arity: 2,
    flags: ['noscript', 'allow_busy'],
    summary: 'Ends the script that runs: none ever does while a command is read.',
    run(): void {
      throw new ReplyError('NOTBUSY No scripts in execution right now.')
    },
  },
]

/** The machine may still be on its way when the first script comes. */
function withScripts({ core, mayWait }: Call, run: () => void): void | Promise<void> {
  if (!core.scripts.isReady && mayWait) return core.scripts.ready().then(run)
  run()
}

function flush({ reply, core }: Call, [, , how, ...more]: readonly string[]): void {
  if (more.length > 0) throw syntaxError()
  if (how !== undefined && !['ASYNC', 'SYNC'].includes(how.toUpperCase())) {
    throw new ReplyError('ERR SCRIPT FLUSH only support SYNC|ASYNC option')
  }
  core.scripts.flush()
  reply.ok()
}

interface Kind {
  readonly isDigest: boolean
  readonly isReadOnly: boolean
}

function evaluate(call: Call, args: readonly string[], kind: Kind): void | Promise<void> {
  const count = indexOf(args[2]!)
  if (count > args.length - FIRST_OF_KEYS)
    throw new ReplyError("ERR Number of keys can't be greater than number of args")
  if (count < 0) throw new ReplyError("ERR Number of keys can't be negative")
  const keys = args.slice(FIRST_OF_KEYS, FIRST_OF_KEYS + count)
  if (call.mayWait) foldFirst(call, keys)
  return withScripts(call, () => runScript(call, args[1]!, { keys, args: args.slice(FIRST_OF_KEYS + count) }, kind))
}

/** Keys with long histories that are named are folded before the script; for others it ends with TRYAGAIN. */
function foldFirst(call: Call, keys: readonly string[]): void {
  const long = keys.find((key) => call.keys.isLong(key))
  if (long !== undefined) throw new FoldFirst(long)
}

function runScript(call: Call, script: string, given: ScriptCall, { isDigest, isReadOnly }: Kind): void {
  const { reply, core } = call
  const digest = isDigest ? script : core.scripts.add(script)
  const host = hostOf(call, isReadOnly || core.scripts.isReadOnly(digest))
  // What it has written when it fails stays, as in Redis.
  call.keys.together(() => core.scripts.run(digest, given, host, reply))
}

/** Commands for one run of a script. */
function hostOf(call: Call, isReadOnly: boolean): ScriptHost {
  const { core, client } = call
  const reply = new ReplyWriter()
  const inside: Call = { ...call, reply, mayWait: false, isScript: true }
  return {
    call(args, protocol) {
      reply.protocol = protocol
      try {
        const command = findFor(core, args)
        if (command.flags.includes('noscript') || command.flags.includes('blocking')) {
          throw new ReplyError('ERR This Redis command is not allowed from script')
        }
        if (isReadOnly && command.flags.includes('write')) {
          throw new ReplyError('ERR Write commands are not allowed from read-only scripts.')
        }
        core.assertMay(client, command, args, true)
        void core.run(inside, command, args)
      } catch (error) {
        // Nothing may be thrown through the machine.
        reply.error(error instanceof ReplyError ? error.text : 'ERR the command failed')
      }
      return reply.take()
    },
    log: (level, text) => core.settings.onScriptLog(LOG_LEVELS[level] ?? 'warning', text),
  }
}

function findFor(core: Call['core'], args: readonly string[]): Command {
  try {
    return core.find(args)
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
    const isArity = error.text.startsWith('ERR wrong number')
    throw new ReplyError(
      isArity
        ? 'ERR Wrong number of args calling Redis command from script'
        : 'ERR Unknown Redis command called from script',
    )
  }
}
