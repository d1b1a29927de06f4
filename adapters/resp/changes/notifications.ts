/**
 * Keyspace notifications: what happens to keys as messages on channels, `__keyspace@0__:key` with the name
 * of the event and `__keyevent@0__:event` with the key. They are told to the clients of this replica, each
 * of which tells of what it takes in.
 */
import type { KeyEvent } from './event-names.ts'
import { ReplyError } from '../call/reply-error.ts'

/** Characters in the order in which CONFIG GET shows them. */
const CLASSES: readonly string[] = 'g$lshzxetdn'.split('')
/** What `A` stands for. */
const ALL: readonly string[] = CLASSES.slice(0, -1)
const CHANNELS: readonly string[] = ['K', 'E', 'm']

export class Notifications {
  #flags: ReadonlySet<string> = new Set<string>()
  readonly #deliver: (channel: string, payload: string) => void

  constructor(deliver: (channel: string, payload: string) => void) {
    this.#deliver = deliver
  }

  /** Whether anything is told. */
  get isOn(): boolean {
    return this.#flags.has('K') || this.#flags.has('E')
  }

  /** As CONFIG GET shows it. */
  get text(): string {
    const has = (flag: string): boolean => this.#flags.has(flag)
    const classes = ALL.every(has) ? 'A' : CLASSES.filter(has).join('')
    return classes + CHANNELS.filter(has).join('')
  }

  isWanted(eventClass: string): boolean {
    return this.isOn && this.#flags.has(eventClass)
  }

  /** What CONFIG SET says. Throws `ReplyError`. */
  parse(text: string): ReadonlySet<string> {
    const flags = new Set<string>()
    for (const character of text) {
      if (character === 'A') for (const one of ALL) flags.add(one)
      else if (CLASSES.includes(character) || CHANNELS.includes(character)) flags.add(character)
      else throw new ReplyError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    }
    return flags
  }

  choose(flags: ReadonlySet<string>): void {
    this.#flags = flags
  }

  tell({ eventClass, event, key }: KeyEvent, database: number): void {
    if (!this.isWanted(eventClass)) return
    if (this.#flags.has('K')) this.#deliver(`__keyspace@${database}__:${key}`, event)
    if (this.#flags.has('E')) this.#deliver(`__keyevent@${database}__:${event}`, key)
  }
}
