/**
 * Who may do what. A user has a password, and perhaps commands and keys that it is held to. Passwords
 * are compared by their hashes, so that the time it takes says nothing of them.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { CommandFacts } from '../call/command-facts.ts'
import { globOf, type Glob } from '../protocol/glob.ts'
import { toBinary } from '../protocol/bytes.ts'

export interface UserRules {
  readonly password: string
  /** Names of commands (`'get'`, `'client|list'`, `'client'`) and categories (`'@read'`, `'@string'`). Default: all. */
  readonly commands?: readonly string[]
  /** Patterns of Redis: keys and channels that it may name. Default: all. */
  readonly keys?: readonly string[]
}

export interface User {
  readonly name: string
  readonly mayRun: (command: CommandFacts) => boolean
  /** Keys and channels. */
  readonly mayName: (name: string) => boolean
  /** To all channels that a pattern matches. */
  readonly mayListen: (pattern: string) => boolean
}

const EVERYTHING: Omit<User, 'name'> = { mayRun: () => true, mayName: () => true, mayListen: () => true }

/** What whoever says nothing is called. */
export const DEFAULT_USER = 'default'

export class Users {
  readonly #byName = new Map<string, { readonly user: User; readonly hash: Buffer }>()
  /** Who is connected without a word; `undefined`: a password is needed. */
  readonly anonymous: User | undefined

  constructor(password: string | undefined, rules: Readonly<Record<string, UserRules>>) {
    if (password !== undefined) this.#add({ name: DEFAULT_USER, ...EVERYTHING }, password)
    for (const [name, one] of Object.entries(rules)) this.#add(userOf(name, one), one.password)
    this.anonymous = this.#byName.size === 0 ? { name: DEFAULT_USER, ...EVERYTHING } : undefined
  }

  /** Whether the default user needs a password. */
  get hasDefaultPassword(): boolean {
    return this.#byName.has(DEFAULT_USER)
  }

  get names(): string[] {
    return this.anonymous === undefined ? [...this.#byName.keys()] : [DEFAULT_USER]
  }

  /** Binary strings; `undefined` if they are none of a user. */
  find(name: string, password: string): User | undefined {
    if (this.anonymous !== undefined) return name === DEFAULT_USER ? this.anonymous : undefined
    const hash = hashOf(password)
    const found = this.#byName.get(name)
    return timingSafeEqual(found?.hash ?? hashOf(''), hash) && found !== undefined ? found.user : undefined
  }

  #add(user: User, password: string): void {
    this.#byName.set(user.name, { user, hash: hashOf(toBinary(password)) })
  }
}

function userOf(name: string, { commands, keys }: UserRules): User {
  const wanted = commands && new Set(commands.map((one) => one.toLowerCase()))
  const globs: readonly Glob[] | undefined = keys?.map((pattern) => globOf(toBinary(pattern)))
  return {
    name: toBinary(name),
    mayRun: (command) => wanted === undefined || wordsOf(command).some((word) => wanted.has(word)),
    mayName: (key) => globs === undefined || globs.some((matches) => matches(key)),
    mayListen: (pattern) => keys === undefined || keys.some((one) => toBinary(one) === pattern),
  }
}

/** What a rule may call a command. */
function wordsOf(command: CommandFacts): string[] {
  const name = command.name.toLowerCase()
  return [name.replace(' ', '|'), name.split(' ')[0]!, ...categoriesOf(command)]
}

/** `@read`, `@write`, `@string` …, as far as the table says them. */
export function categoriesOf({ flags, group }: CommandFacts): string[] {
  const has = (flag: CommandFacts['flags'][number]): boolean => flags.includes(flag)
  const categories = [`@${group.replace('-', '')}`, has('fast') ? '@fast' : '@slow']
  if (has('readonly')) categories.push('@read')
  if (has('write')) categories.push('@write')
  if (has('blocking')) categories.push('@blocking')
  if (has('admin')) categories.push('@admin', '@dangerous')
  return categories
}

function hashOf(binary: string): Buffer {
  return createHash('sha256').update(binary, 'latin1').digest()
}
