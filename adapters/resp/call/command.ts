/**
 * A command is an entry of one table (`table.ts`), which is what the dispatcher, `COMMAND`, the errors of
 * arity, the rules of users and docs/sidecar.md go by. It writes its reply while it runs, and may throw a
 * `ReplyError` instead: then what it has written of it is taken back.
 */
import type { AnyWarp } from '../../../src/control/question.ts'
import type { Env } from '../../../src/ports/env.ts'
import type { Changes } from '../changes/changes.ts'
import type { Monitors } from '../oversight/monitors.ts'
import type { Pause } from '../oversight/pause.ts'
import type { SlowLog } from '../oversight/slow-log.ts'
import type { Client } from '../connections/client.ts'
import type { PubSub } from '../connections/pub-sub.ts'
import type { Refusals } from '../access/refusals.ts'
import type { Users } from '../access/users.ts'
import type { Scripts } from '../scripts/scripts.ts'
import type { Waiters } from '../connections/waiters.ts'
import type { RespSettings } from '../options.ts'
import type { ReplyWriter } from '../protocol/reply-writer.ts'
import type { CommandFacts, KeyRange } from './command-facts.ts'
import type { CommandKeys } from './command-keys.ts'

export interface Command extends CommandFacts {
  /**
   * `args` are binary strings, the name first. Whoever has to wait returns a promise, and then writes the
   * reply in one turn.
   */
  readonly run: (call: Call, args: readonly string[]) => void | Promise<void>
}

/** What a command works with. */
export interface Call {
  readonly reply: ReplyWriter
  readonly keys: CommandKeys
  readonly client: Client
  readonly core: Core
  /** The wall clock, ms: one moment for all that a chunk or a transaction does. */
  readonly nowMs: number
  /** Inside EXEC nothing waits. */
  readonly mayWait: boolean
  /** Asked for by a script. */
  readonly isScript?: boolean
}

/** What commands use of the server. */
export interface Core {
  readonly warp: AnyWarp
  readonly settings: RespSettings
  readonly table: Commands
  readonly env: Env
  readonly keys: CommandKeys
  readonly users: Users
  /** What was refused to whom. */
  readonly refusals: Refusals
  readonly pubSub: PubSub
  readonly waiters: Waiters
  readonly scripts: Scripts
  readonly changes: Changes
  readonly monitors: Monitors
  readonly slowLog: SlowLog
  readonly pause: Pause
  readonly clients: ReadonlyMap<number, Client>
  readonly counts: RespCounts
  readonly beganMs: number
  readonly nowMs: number
  /** What is handled from here on is of one moment. */
  beginTurn(): void
  /** Whoever waits for what was done is served. */
  endTurn(): void
  /** The command of a request. Throws `ReplyError`. */
  find(args: readonly string[]): Command
  /** Tells whoever runs the server of a fault of the program. Throws nothing. */
  failed(error: unknown): void
  /** Throws `ReplyError` if the client may not run that. */
  assertMay(client: Client, command: Command, args: readonly string[], isScript?: boolean): void
  /** Runs a command that has been checked. Whatever it throws is its reply. */
  run(call: Call, command: Command, args: readonly string[]): void | Promise<void>
}

/** The table of commands. */
export interface Commands {
  readonly all: readonly Command[]
  /** Names of commands, a container once, in alphabetical order. */
  readonly names: readonly string[]
  /** In any case; `sub` counts where the name is a container's. */
  find(name: string, sub: string | undefined): Command | undefined
  isContainer(name: string): boolean
  /** The subcommands of a container; empty for other names. */
  subcommands(name: string): readonly Command[]
}

/** Since the server was opened. */
export interface RespCounts {
  connections: number
  rejected: number
  commands: number
  errors: number
  receivedBytes: number
  sentBytes: number
  /** Connections that were closed because they did not read. */
  tooSlow: number
}

export const FIRST_KEY: KeyRange = { first: 1, last: 1, step: 1 }
export const ALL_KEYS: KeyRange = { first: 1, last: -1, step: 1 }
export const TWO_KEYS: KeyRange = { first: 1, last: 2, step: 1 }

/** Behind `numkeys` at that place. */
export function countedKeys(place: number): (args: readonly string[]) => readonly number[] {
  return (args) => {
    const count = Math.min(Number(args[place]) || 0, args.length - place - 1)
    return Array.from({ length: Math.max(0, count) }, (_, i) => place + 1 + i)
  }
}
