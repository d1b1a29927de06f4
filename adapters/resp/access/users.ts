/**
 * Who may do what. Passwords are compared by their hashes, so that the time it takes says nothing of them.
 * What ACL SETUSER changes holds until the server closes.
 */
import { timingSafeEqual } from 'node:crypto'
import { WarpError } from '../../../crdt/warp-error.ts'
import { ReplyError } from '../call/reply-error.ts'
import { toBinary } from '../protocol/bytes.ts'
import { hashOf, withRule, type CommandNames } from './rules.ts'
import { ALL_COMMANDS, ALL_NAMES, NEW_USER, User, type UserFacts } from './user.ts'

export interface UserRules {
  readonly password: string
  /** Names of commands (`'get'`, `'client|list'`, `'client'`) and categories (`'@read'`, `'@string'`). Default: all. */
  readonly commands?: readonly string[]
  /** Patterns of Redis: keys and channels that it may name. Default: all. */
  readonly keys?: readonly string[]
}

/** What whoever says nothing is called. */
export const DEFAULT_USER = 'default'
const EVERYTHING = { commands: ALL_COMMANDS, keys: ALL_NAMES, channels: ALL_NAMES } as const
const NO_HASH = Buffer.alloc(32)

export class Users {
  readonly #byName = new Map<string, User>()
  readonly #table: CommandNames

  /** Throws `WARP_E_CONFIG` for a command that there is not. */
  constructor(table: CommandNames, password: string | undefined, rules: Readonly<Record<string, UserRules>>) {
    this.#table = table
    const isOpen = password === undefined && Object.keys(rules).length === 0
    this.#add(DEFAULT_USER, {
      ...NEW_USER,
      ...EVERYTHING,
      isOn: isOpen || password !== undefined,
      hasNoPassword: isOpen,
      hashes: password === undefined ? [] : [hashOf(toBinary(password))],
    })
    for (const [name, one] of Object.entries(rules)) this.#add(toBinary(name), this.#factsOf(name, one))
  }

  /** Who is connected without a word; `undefined`: whoever connects has to say who it is. */
  get anonymous(): User | undefined {
    const user = this.#byName.get(DEFAULT_USER)
    return user?.facts.isOn === true && user.facts.hasNoPassword ? user : undefined
  }

  /** Whether AUTH with a password alone makes sense. */
  get hasDefaultPassword(): boolean {
    return this.#byName.get(DEFAULT_USER)?.facts.hasNoPassword === false
  }

  get all(): readonly User[] {
    return [...this.#byName.values()]
  }

  get(name: string): User | undefined {
    return this.#byName.get(name)
  }

  /** Binary strings; `undefined` if they are none of a user that is on. */
  find(name: string, password: string): User | undefined {
    const user = this.#byName.get(name)
    const hash = Buffer.from(hashOf(password), 'hex')
    const hashes = user?.facts.hashes ?? []
    const isRight = hashes.reduce((is, one) => timingSafeEqual(Buffer.from(one, 'hex'), hash) || is, false)
    if (user === undefined) timingSafeEqual(NO_HASH, hash)
    return user?.facts.isOn === true && (isRight || user.facts.hasNoPassword) ? user : undefined
  }

  /** All of the rules or none. Throws `ReplyError`. */
  set(name: string, rules: readonly string[]): User {
    if (name === '' || /[\s\0]/.test(name))
      throw new ReplyError("ERR Usernames can't contain spaces or null characters")
    const before = this.#byName.get(name)
    const facts = rules.reduce((made, rule) => withRule(made, rule, this.#table), before?.facts ?? NEW_USER)
    if (before === undefined) return this.#add(name, facts)
    before.become(facts)
    return before
  }

  /** Returns the user that there was. Throws `ReplyError`. */
  remove(name: string): User | undefined {
    if (name === DEFAULT_USER) throw new ReplyError("ERR The 'default' user cannot be removed")
    const user = this.#byName.get(name)
    this.#byName.delete(name)
    return user
  }

  #add(name: string, facts: UserFacts): User {
    const user = new User(name, facts)
    this.#byName.set(name, user)
    return user
  }

  #factsOf(name: string, { password, commands, keys }: UserRules): UserFacts {
    const rules = [
      ...['on', `>${toBinary(password)}`],
      ...(keys === undefined
        ? ['allkeys', 'allchannels']
        : keys.flatMap((one) => [`~${toBinary(one)}`, `&${toBinary(one)}`])),
      ...(commands === undefined ? ['allcommands'] : commands.map((word) => `+${word}`)),
    ]
    try {
      return rules.reduce((facts, rule) => withRule(facts, rule, this.#table), NEW_USER)
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error
      throw new WarpError(
        'WARP_E_CONFIG',
        `respServer: users: ${name}: ${error.text.replace(/^ERR /, '')}; name commands and categories that there are, and patterns without blanks`,
        { details: { user: name } },
      )
    }
  }
}
