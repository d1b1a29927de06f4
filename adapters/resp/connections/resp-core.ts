/** What all connections of a server have in common. */
import { directKeys, type DirectKeys } from '../../../src/api/direct/direct-keys.ts'
import type { AnyWarp } from '../../../src/control/question.ts'
import type { Env } from '../../../src/ports/env.ts'
import { Refusals } from '../access/refusals.ts'
import { Users } from '../access/users.ts'
import { Changes } from '../changes/changes.ts'
import { CommandKeys } from '../call/command-keys.ts'
import type { Call, Command, Commands, Core, RespCounts } from '../call/command.ts'
import type { RespSettings } from '../options.ts'
import { REDIS_VERSION } from '../commands/service/versions.ts'
import { Sweep } from '../lives/sweep.ts'
import { Monitors } from '../oversight/monitors.ts'
import { Pause } from '../oversight/pause.ts'
import { SlowLog } from '../oversight/slow-log.ts'
import { Scripts } from '../scripts/scripts.ts'
import type { Client } from './client.ts'
import { Dispatcher } from './dispatcher.ts'
import { PubSub } from './pub-sub.ts'
import { Waiters } from './waiters.ts'

export class RespCore implements Core {
  readonly warp: AnyWarp
  readonly settings: RespSettings
  readonly table: Commands
  readonly env: Env
  readonly keys: CommandKeys
  /** Deletes keys whose lives are over. */
  readonly sweep: Sweep
  readonly users: Users
  readonly refusals: Refusals = new Refusals()
  readonly pubSub: PubSub
  readonly dispatcher: Dispatcher
  readonly waiters: Waiters
  readonly changes: Changes
  readonly monitors: Monitors = new Monitors()
  readonly slowLog: SlowLog = new SlowLog()
  readonly pause: Pause
  readonly scripts: Scripts
  readonly beganMs: number
  readonly clients: Map<number, Client> = new Map<number, Client>()
  readonly counts: RespCounts = {
    connections: 0,
    rejected: 0,
    commands: 0,
    errors: 0,
    receivedBytes: 0,
    sentBytes: 0,
    tooSlow: 0,
  }
  /** The wall clock as of the chunk or wait that is being handled, ms. */
  nowMs: number
  #lastId = 0
  readonly #unsubscribe: () => void
  readonly #toFlush = new Set<{ flush(): void }>()

  constructor(warp: AnyWarp, settings: RespSettings, table: Commands) {
    const direct: DirectKeys = directKeys('respServer', warp)
    this.warp = warp
    this.settings = settings
    this.table = table
    this.env = direct.env
    this.nowMs = this.env.now()
    this.beganMs = this.nowMs
    this.sweep = new Sweep(direct, (error) => this.failed(error))
    this.keys = new CommandKeys(direct, (name, untilMs) => this.sweep.watch(name, untilMs))
    this.users = new Users(table, settings.password, settings.users)
    this.pubSub = new PubSub(warp, (error) => this.failed(error))
    this.dispatcher = new Dispatcher(this)
    this.waiters = new Waiters(this.env)
    this.changes = new Changes({
      env: this.env,
      keys: this.keys,
      clients: this.clients,
      deliver: (channel, payload) => this.pubSub.deliver(channel, payload),
    })
    this.pause = new Pause(this.env)
    this.scripts = new Scripts(settings.scripts, REDIS_VERSION)
    this.#unsubscribe = direct.onEntered((key) => {
      this.waiters.touched(key)
      if (!this.keys.isWriting) this.sweep.entered(key)
      this.changes.entered(key, this.sweep.isBurying)
    })
  }

  nextId(): number {
    return ++this.#lastId
  }

  forget(client: Client): void {
    this.clients.delete(client.id)
    this.changes.tracking.off(client)
    this.monitors.remove(client)
    this.pubSub.unsubscribeAll(client)
  }

  /** A chunk, or what waited, is handled from here on: at one moment. */
  beginTurn(): void {
    this.nowMs = this.env.now()
  }

  /** What was written may be what somebody waits for. */
  endTurn(): void {
    this.waiters.serve()
    if (this.changes.tracking.hasNews) this.changes.tracking.tell()
  }

  find(args: readonly string[]): Command {
    return this.dispatcher.find(args)
  }

  assertMay(client: Client, command: Command, args: readonly string[], isScript = false): void {
    this.dispatcher.assertMay(client, command, args, isScript)
  }

  run(call: Call, command: Command, args: readonly string[]): void | Promise<void> {
    return this.dispatcher.run(call, command, args)
  }

  /** Writes what has been pushed, with all that comes in the same turn. */
  flushLater(connection: { flush(): void }): void {
    this.#toFlush.add(connection)
    if (this.#toFlush.size > 1) return
    this.env.defer(() => this.flushOthers())
  }

  /** Whoever has been pushed something is sent it before those who caused it are answered. */
  flushOthers(): void {
    if (this.#toFlush.size === 0) return
    const all = [...this.#toFlush]
    this.#toFlush.clear()
    for (const one of all) one.flush()
  }

  /** A fault of the program, or of what it stands on: whoever runs the server is told. */
  failed(error: unknown): void {
    this.settings.onError(error instanceof Error ? error : new Error('something was thrown that is no Error'))
  }

  close(): void {
    this.#unsubscribe()
    this.sweep.close()
    this.pause.end()
    this.pubSub.close()
    this.scripts.close()
  }
}
