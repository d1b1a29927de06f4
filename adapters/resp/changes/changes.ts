/**
 * What commands read and change, for whoever wants to hear of it: clients with near caches (`tracking.ts`)
 * and keyspace notifications. While nobody does, commands pass by this.
 *
 * A key has changed when an operation has entered it. What enters while a command runs is the command's, and
 * is called by its name; everything else (other replicas, the application, ends of lives) is told by what the
 * key holds when this turn is over.
 */
import { FoldFirst } from '../../../src/api/direct/direct-keys.ts'
import { keyPlaces, type CommandFacts } from '../call/command-facts.ts'
import type { CommandKeys } from '../call/command-keys.ts'
import type { Client } from '../connections/client.ts'
import { toBinary, toText } from '../protocol/bytes.ts'
import type { Env } from '../../../src/ports/env.ts'
import { eventOfKind, eventsOf } from './event-names.ts'
import { Notifications } from './notifications.ts'
import { Tracking } from './tracking.ts'

/** What is used of a call. */
export interface Doing {
  readonly client: Client
  readonly nowMs: number
}

interface Running {
  readonly client: Client
  /** As Warp has them. */
  readonly changed: Set<string>
}

export interface ChangesParts {
  readonly env: Env
  readonly keys: CommandKeys
  readonly clients: ReadonlyMap<number, Client>
  /** To clients of this replica. Binary strings. */
  readonly deliver: (channel: string, payload: string) => void
}

export class Changes {
  readonly tracking: Tracking
  readonly notifications: Notifications
  readonly #env: Env
  readonly #keys: CommandKeys
  #running: Running | undefined
  #isQuiet = false
  #isPlanned = false
  readonly #byOthers = new Set<string>()
  /** Those of them whose lives are over. */
  readonly #ended = new Set<string>()

  constructor({ env, keys, clients, deliver }: ChangesParts) {
    this.#env = env
    this.#keys = keys
    this.tracking = new Tracking(clients)
    this.notifications = new Notifications(deliver)
  }

  get isHeard(): boolean {
    return this.tracking.isOn || this.notifications.isOn
  }

  /** Runs a command, of which a part may wait, and tells what it read and changed by then. */
  around<Done>(call: Doing, [command, args]: readonly [CommandFacts, readonly string[]], run: () => Done): Done {
    const outer = this.#running
    const running: Running = { client: call.client, changed: new Set() }
    this.#running = running
    const missing = this.#missingBefore(call, command, args)
    try {
      return run()
    } finally {
      this.#running = outer
      this.#remember(call, command, args)
      if (outer === undefined && call.client.gathered === undefined && !command.name.startsWith('CLIENT '))
        this.tracking.answered(call.client)
      this.#notify(call, [command, args], { changed: running.changed, missing })
    }
  }

  /** Something has entered a key: that its life `isOver`, or anything else. */
  entered(name: string, isOver = false): void {
    if (!this.isHeard || this.#isQuiet) return
    this.tracking.changed(name, this.#running?.client)
    if (this.#running !== undefined) {
      this.#running.changed.add(name)
      return
    }
    if (this.notifications.isOn) {
      this.#byOthers.add(name)
      if (isOver) this.#ended.add(name)
    }
    if (this.#isPlanned) return
    this.#isPlanned = true
    this.#env.defer(() => {
      this.#isPlanned = false
      this.#tellOfOthers()
      this.tracking.tell()
    })
  }

  /** What `run` changes is not told key by key. */
  quietly(run: () => void): void {
    const wasQuiet = this.#isQuiet
    this.#isQuiet = true
    try {
      run()
    } finally {
      this.#isQuiet = wasQuiet
    }
  }

  #remember({ client }: Doing, command: CommandFacts, args: readonly string[]): void {
    if (client.tracking === undefined || !command.flags.includes('readonly')) return
    for (const place of keyPlaces(command, args)) {
      const name = toText(args[place] as string)
      if (name !== undefined) this.tracking.read(client, name)
    }
  }

  /** Keys of a command that writes, or that reads, that are not there, as far as somebody wants to know. */
  #missingBefore(call: Doing, command: CommandFacts, args: readonly string[]): readonly string[] {
    const { flags } = command
    const isAsked = flags.includes('readonly')
      ? this.notifications.isWanted('m') && !command.name.startsWith('OBJECT ')
      : flags.includes('write') && this.notifications.isWanted('n')
    if (!isAsked) return []
    const keys = keyPlaces(command, args).map((place) => args[place] as string)
    return keys.filter((key) => !this.#isThere(key, call.nowMs))
  }

  #notify(
    call: Doing,
    [command, args]: readonly [CommandFacts, readonly string[]],
    { changed, missing }: { readonly changed: ReadonlySet<string>; readonly missing: readonly string[] },
  ): void {
    const { notifications } = this
    if (!notifications.isOn) return
    if (command.flags.includes('readonly'))
      for (const key of missing) notifications.tell({ eventClass: 'm', event: 'keymiss', key }, 0)
    if (changed.size === 0) return
    const isThere = (key: string): boolean => this.#isThere(key, call.nowMs)
    const keys = new Set(keyPlaces(command, args).map((place) => args[place] as string))
    const ran = { command, args, changed: [...keys].filter((key) => changed.has(toText(key) ?? '')), isThere }
    const fresh = new Set(missing.filter(isThere))
    for (const one of eventsOf(ran)) {
      if (fresh.delete(one.key) && one.eventClass !== 'n')
        notifications.tell({ eventClass: 'n', event: 'new', key: one.key }, 0)
      notifications.tell(one, 0)
    }
  }

  #tellOfOthers(): void {
    const [names, ended] = [[...this.#byOthers], new Set(this.#ended)]
    this.#byOthers.clear()
    this.#ended.clear()
    for (const name of names) {
      const key = toBinary(name)
      const kind = this.#kindOf(name, this.#env.now())
      const isOver = kind === undefined && ended.has(name)
      this.notifications.tell(isOver ? { eventClass: 'x', event: 'expired', key } : eventOfKind(key, kind), 0)
    }
  }

  #isThere(key: string, nowMs: number): boolean {
    const name = toText(key)
    return name !== undefined && this.#kindOf(name, nowMs) !== undefined
  }

  /** A key with a long history is there; one that cannot be asked is as if it were not. */
  #kindOf(name: string, nowMs: number): string | undefined {
    if (name === '') return undefined
    try {
      return this.#keys.viewOf(name, nowMs).kind
    } catch (error) {
      return error instanceof FoldFirst ? 'string' : undefined
    }
  }
}
