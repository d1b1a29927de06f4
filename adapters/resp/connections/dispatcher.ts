/**
 * From a request to its reply. The checks come in the order of Redis: is there such a command, has it as
 * many arguments as it takes, has whoever asks said who it is, may it, may it now; then it is gathered (in
 * MULTI) or runs.
 */
import { isWarpError } from '../../../crdt/warp-error.ts'
import { FoldFirst } from '../../../src/api/direct/direct-keys.ts'
import { type Call, type Command, type Core } from '../call/command.ts'
import { nameOf } from '../call/command-keys.ts'
import { errorText } from '../call/error-text.ts'
import { keyPlaces, lowerName } from '../call/command-facts.ts'
import { ReplyError } from '../call/reply-error.ts'
import { refusalText, refusedTo } from '../access/verdict.ts'
import { lineOf } from './client-line.ts'
import type { Client } from './client.ts'

const NOT_AUTHENTICATED = 'NOAUTH Authentication required.'
const SHOWN_CHARACTERS_MAX = 128
/** What a subscriber of RESP2 may ask for. */
const WHILE_SUBSCRIBED: ReadonlySet<string> = new Set([
  ...['SUBSCRIBE', 'UNSUBSCRIBE', 'PSUBSCRIBE', 'PUNSUBSCRIBE', 'SSUBSCRIBE', 'SUNSUBSCRIBE'],
  ...['PING', 'QUIT', 'RESET'],
])
/** Bytes that may be gathered in MULTI. */
const GATHERED_BYTES_MAX = 64 * 1024 * 1024

export class Dispatcher {
  readonly #core: Core

  constructor(core: Core) {
    this.#core = core
  }

  /** Writes the reply, or returns a promise of that. Throws nothing. */
  handle(client: Client, args: readonly string[]): void | Promise<void> {
    const { reply } = client.outlet
    const begun = reply.length
    try {
      const command = this.#allowed(client, args)
      if (this.#core.pause.isOn && this.#core.pause.holds(command)) return this.#afterPause(client, args)
      client.lastCommand = command.name
      client.lastRequest = args
      if (client.gathered !== undefined && !command.flags.includes('unqueued')) {
        gather(client.gathered, args, client)
        return
      }
      return this.run(this.#callOf(client, true), command, args)
    } catch (error) {
      if (client.gathered !== undefined) client.gathered.isRefused = true
      reply.cut(begun)
      reply.error(errorText(error))
    }
  }

  /** Runs what has been checked. Whatever it throws is its reply. */
  run(call: Call, command: Command, args: readonly string[]): void | Promise<void> {
    const { changes, counts, env, monitors, slowLog } = this.#core
    counts.commands++
    if (monitors.count > 0 && command.name !== 'EXEC') this.#show(call, command, args)
    const beganMs = command.flags.includes('fast') ? undefined : env.monotonic()
    const waited = changes.isHeard
      ? changes.around(call, [command, args], () => this.#run(call, command, args))
      : this.#run(call, command, args)
    if (beganMs !== undefined)
      slowLog.took(command, args, { client: call.client, nowMs: call.nowMs, tookMs: env.monotonic() - beganMs })
    // What it gathered comes before it, as in Redis.
    if (monitors.count > 0 && command.name === 'EXEC') this.#show(call, command, args)
    return waited
  }

  #show({ client, nowMs, isScript = false }: Call, command: Command, args: readonly string[]): void {
    this.#core.monitors.show({ command, args, client, isScript, nowMs })
  }

  /** Who has gone meanwhile has asked for nothing. */
  async #afterPause(client: Client, args: readonly string[]): Promise<void> {
    await this.#core.pause.over()
    this.#core.beginTurn()
    if (this.#core.clients.has(client.id)) await this.handle(client, args)
    this.#core.endTurn()
  }

  #run(call: Call, command: Command, args: readonly string[]): void | Promise<void> {
    const { reply } = call
    const begun = reply.length
    try {
      const waited = command.run(call, args)
      if (waited === undefined) return
      // What has been pushed meanwhile stands in the same writer.
      return waited.catch((error: unknown) => this.#fail(call, reply.length, error))
    } catch (error) {
      if (error instanceof FoldFirst && call.mayWait) {
        reply.cut(begun)
        return this.#foldAndRun(call, command, args)
      }
      this.#fail(call, begun, error)
    }
  }

  /** The command of a request. Throws `ReplyError`. */
  find(args: readonly string[]): Command {
    const name = args[0] as string
    const found = this.#core.table.find(name, args[1])
    if (found === undefined) throw this.#unknown(args)
    const { arity } = found
    if (arity > 0 ? args.length !== arity : args.length < -arity) throw wrongArity(found)
    return found
  }

  /** Throws `ReplyError` if the client may not run that, and remembers it. */
  assertMay(client: Client, command: Command, args: readonly string[], isScript = false): void {
    const { user } = client
    if (user?.isUnbound === true) return
    if (user === undefined) {
      if (command.flags.includes('no_auth')) return
      throw new ReplyError(NOT_AUTHENTICATED)
    }
    const refused = refusedTo(user, command, args)
    if (refused === undefined) return
    const context = isScript ? 'lua' : client.gathered === undefined ? 'toplevel' : 'multi'
    const { nowMs, refusals } = this.#core
    refusals.add({ ...refused, context, userName: user.name }, lineOf(client, nowMs), nowMs)
    throw new ReplyError(refusalText(refused))
  }

  #unknown(args: readonly string[]): ReplyError {
    const [name, sub] = args as [string, string | undefined]
    if (!this.#core.table.isContainer(name)) return unknownCommand(args)
    if (sub === undefined) return wrongArity({ name: name.toUpperCase() })
    return new ReplyError(`ERR unknown subcommand '${sub.slice(0, 128)}'. Try ${name.toUpperCase()} HELP.`)
  }

  #allowed(client: Client, args: readonly string[]): Command {
    const command = this.find(args)
    this.assertMay(client, command, args)
    if (client.outlet.reply.protocol === 2 && client.isSubscribed && !WHILE_SUBSCRIBED.has(command.name))
      throw onlySubscribing(command)
    if (client.gathered !== undefined && command.flags.includes('no_multi'))
      throw new ReplyError('ERR Command not allowed inside a transaction')
    if (command.keys !== undefined && command.keys.last !== command.keys.first) assertNames(command, args)
    return command
  }

  #callOf(client: Client, mayWait: boolean): Call {
    const { reply } = client.outlet
    return { reply, keys: this.#core.keys, client, core: this.#core, nowMs: this.#core.nowMs, mayWait }
  }

  /** A key with a long history is folded in steps, and then the command runs, all of it. */
  async #foldAndRun(call: Call, command: Command, args: readonly string[]): Promise<void> {
    let begun = call.reply.length
    try {
      for (const place of keyPlaces(command, args)) await call.keys.fold(args[place] as string)
      begun = call.reply.length
      await this.#core.changes.around(call, [command, args], () => command.run(call, args))
    } catch (error) {
      this.#fail(call, begun, error)
    }
  }

  #fail({ reply }: Call, begun: number, error: unknown): void {
    reply.cut(begun)
    this.#core.counts.errors++
    reply.error(errorText(error))
    // A fault of the program, of which the client is told nothing.
    if (!(error instanceof ReplyError || error instanceof FoldFirst || isWarpError(error))) this.#core.failed(error)
  }
}

function gather(gathered: NonNullable<Client['gathered']>, args: readonly string[], client: Client): void {
  gathered.bytes += args.reduce((sum, { length }) => sum + length + 16, 64)
  if (gathered.bytes > GATHERED_BYTES_MAX) throw new ReplyError('ERR the transaction is too large')
  gathered.requests.push(args)
  client.outlet.reply.simple('QUEUED')
}

/** One of several keys that cannot be is refused before anything is done to the others. */
function assertNames(command: Command, args: readonly string[]): void {
  for (const place of keyPlaces(command, args)) nameOf(args[place] as string)
}

function onlySubscribing(command: Command): ReplyError {
  return new ReplyError(
    `ERR Can't execute '${lowerName(command)}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
  )
}

function wrongArity(command: Pick<Command, 'name'>): ReplyError {
  return new ReplyError(`ERR wrong number of arguments for '${lowerName(command)}' command`)
}

function unknownCommand([name, ...rest]: readonly string[]): ReplyError {
  let shown = ''
  for (const one of rest) {
    if (shown.length >= SHOWN_CHARACTERS_MAX) break
    shown += `'${one.slice(0, SHOWN_CHARACTERS_MAX - shown.length)}' `
  }
  return new ReplyError(
    `ERR unknown command '${(name as string).slice(0, SHOWN_CHARACTERS_MAX)}', with args beginning with: ${shown}`,
  )
}
