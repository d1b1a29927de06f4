/**
 * A user: what says who it is, and what it may do. Rules come in an order, and of those that fit a command the
 * last one decides, as in Redis.
 */
import { lowerName, type CommandFacts } from '../call/command-facts.ts'
import { globOf, type Glob } from '../protocol/glob.ts'
import { categoriesOf } from './categories.ts'

export interface CommandRule {
  readonly isAllowed: boolean
  /** `get`, `client|list`, `client`, `@read`; `@all` only at the beginning. */
  readonly word: string
}

/** Names of keys, or of channels; binary strings. */
export interface Names {
  readonly isAll: boolean
  readonly patterns: readonly string[]
}

/** What a user is, as one value: rules make another one of it. */
export interface UserFacts {
  readonly isOn: boolean
  readonly hasNoPassword: boolean
  /** SHA-256, in hexadecimal digits. */
  readonly hashes: readonly string[]
  readonly commands: readonly CommandRule[]
  readonly keys: Names
  readonly channels: Names
}

export const NO_NAMES: Names = { isAll: false, patterns: [] }
export const ALL_NAMES: Names = { isAll: true, patterns: ['*'] }
export const NO_COMMANDS: readonly CommandRule[] = [{ isAllowed: false, word: '@all' }]
export const ALL_COMMANDS: readonly CommandRule[] = [{ isAllowed: true, word: '@all' }]

/** As ACL SETUSER makes one that there was not. */
export const NEW_USER: UserFacts = {
  isOn: false,
  hasNoPassword: false,
  hashes: [],
  commands: NO_COMMANDS,
  keys: NO_NAMES,
  channels: NO_NAMES,
}

export class User {
  /** A binary string. */
  readonly name: string
  #facts: UserFacts
  #keys: readonly Glob[] = []
  #channels: readonly Glob[] = []
  readonly #verdicts = new Map<string, boolean>()
  /** Whether it may do everything. */
  isUnbound = false

  constructor(name: string, facts: UserFacts) {
    this.name = name
    this.#facts = facts
    this.become(facts)
  }

  get facts(): UserFacts {
    return this.#facts
  }

  /** Connections that are this user's are held to that from now on. */
  become(facts: UserFacts): void {
    this.#facts = facts
    this.#keys = facts.keys.patterns.map(globOf)
    this.#channels = facts.channels.patterns.map(globOf)
    this.#verdicts.clear()
    this.isUnbound = facts.commands === ALL_COMMANDS && facts.keys.isAll && facts.channels.isAll
  }

  mayRun(command: CommandFacts): boolean {
    const known = this.#verdicts.get(command.name)
    if (known !== undefined) return known
    const words = wordsOf(command)
    const verdict = this.#facts.commands.findLast(({ word }) => words.has(word))?.isAllowed ?? false
    this.#verdicts.set(command.name, verdict)
    return verdict
  }

  /** A key. */
  mayName(key: string): boolean {
    return this.#facts.keys.isAll || this.#keys.some((matches) => matches(key))
  }

  mayUseChannel(channel: string): boolean {
    return this.#facts.channels.isAll || this.#channels.some((matches) => matches(channel))
  }

  /** To all channels that a pattern matches: it has to be one of the rules. */
  mayListen(pattern: string): boolean {
    return this.#facts.channels.isAll || this.#facts.channels.patterns.includes(pattern)
  }

  /** `-@all +get`. */
  get commandsText(): string {
    return this.#facts.commands.map(({ isAllowed, word }) => `${isAllowed ? '+' : '-'}${word}`).join(' ')
  }

  get keysText(): string {
    return this.#facts.keys.patterns.map((pattern) => `~${pattern}`).join(' ')
  }

  get channelsText(): string {
    return this.#facts.channels.patterns.map((pattern) => `&${pattern}`).join(' ')
  }

  /** A line of ACL LIST: rules that make it of nothing. */
  get line(): string {
    const { isOn, hasNoPassword, hashes, channels } = this.#facts
    return [
      ...['user', this.name, isOn ? 'on' : 'off'],
      ...(hasNoPassword ? ['nopass'] : []),
      ...hashes.map((hash) => `#${hash}`),
      ...(this.keysText === '' ? [] : [this.keysText]),
      ...(channels.isAll ? [] : ['resetchannels']),
      ...(this.channelsText === '' ? [] : [this.channelsText]),
      this.commandsText,
    ].join(' ')
  }
}

/** What a rule may call a command. */
function wordsOf(command: CommandFacts): ReadonlySet<string> {
  const name = lowerName(command)
  return new Set(['@all', name, name.split('|')[0]!, ...categoriesOf(command).map((one) => `@${one}`)])
}
