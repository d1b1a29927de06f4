/** The rules of ACL SETUSER: `on`, `>password`, `~pattern`, `&pattern`, `+command`, `-@category` and their like. */
import { createHash } from 'node:crypto'
import type { CommandFacts } from '../call/command-facts.ts'
import { ReplyError } from '../call/reply-error.ts'
import { CATEGORIES } from './categories.ts'
import { ALL_COMMANDS, ALL_NAMES, NEW_USER, NO_COMMANDS, NO_NAMES, type Names, type UserFacts } from './user.ts'

/** Which commands there are. */
export interface CommandNames {
  find(name: string, sub: string | undefined): CommandFacts | undefined
  isContainer(name: string): boolean
}

const SYNTAX = 'Syntax error'
const UNKNOWN_COMMAND = 'Unknown command or category name in ACL'
const NO_SUCH_PASSWORD = 'The password you are trying to remove from the user does not exist'
const NO_HASH = 'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters'

const WORDS: Readonly<Record<string, (facts: UserFacts) => UserFacts>> = {
  on: (facts) => ({ ...facts, isOn: true }),
  off: (facts) => ({ ...facts, isOn: false }),
  nopass: (facts) => ({ ...facts, hasNoPassword: true, hashes: [] }),
  resetpass: (facts) => ({ ...facts, hasNoPassword: false, hashes: [] }),
  allkeys: (facts) => ({ ...facts, keys: ALL_NAMES }),
  resetkeys: (facts) => ({ ...facts, keys: NO_NAMES }),
  allchannels: (facts) => ({ ...facts, channels: ALL_NAMES }),
  resetchannels: (facts) => ({ ...facts, channels: NO_NAMES }),
  allcommands: (facts) => ({ ...facts, commands: ALL_COMMANDS }),
  nocommands: (facts) => ({ ...facts, commands: NO_COMMANDS }),
  // What is restored is always looked at.
  'sanitize-payload': (facts) => facts,
  reset: () => NEW_USER,
}

/** The user as a rule makes it. Throws `ReplyError`. */
export function withRule(facts: UserFacts, rule: string, table: CommandNames): UserFacts {
  const word = WORDS[rule.toLowerCase()]
  if (word !== undefined) return word(facts)
  const [sign, rest] = [rule[0], rule.slice(1)]
  switch (sign) {
    case '>':
      return withHash(facts, hashOf(rest))
    case '#':
      return withHash(facts, checkedHash(rest, rule))
    case '<':
      return withoutHash(facts, hashOf(rest), rule)
    case '!':
      return withoutHash(facts, checkedHash(rest, rule), rule)
    case '~':
      return { ...facts, keys: withPattern(facts.keys, rest, [rule, 'allkeys', 'resetkeys', 'patterns']) }
    case '&':
      return {
        ...facts,
        channels: withPattern(facts.channels, rest, [rule, 'allchannels', 'resetchannels', 'channels']),
      }
    case '+':
    case '-':
      return withCommand(facts, { isAllowed: sign === '+', word: checkedWord(rest.toLowerCase(), rule, table) })
    default:
      throw refused(rule, SYNTAX)
  }
}

/** SHA-256 of a binary string, in hexadecimal digits. */
export function hashOf(password: string): string {
  return createHash('sha256').update(password, 'latin1').digest('hex')
}

function withHash(facts: UserFacts, hash: string): UserFacts {
  return { ...facts, hasNoPassword: false, hashes: [...facts.hashes.filter((one) => one !== hash), hash] }
}

function withoutHash(facts: UserFacts, hash: string, rule: string): UserFacts {
  if (!facts.hashes.includes(hash)) throw refused(rule, NO_SUCH_PASSWORD)
  return { ...facts, hashes: facts.hashes.filter((one) => one !== hash) }
}

function checkedHash(text: string, rule: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw refused(rule, NO_HASH)
  return text
}

function withPattern(
  names: Names,
  pattern: string,
  [rule, all, reset, what]: readonly [string, string, string, string],
): Names {
  if (pattern === '*') return ALL_NAMES
  if (names.isAll)
    throw refused(
      rule,
      `Adding a pattern after the * pattern (or the '${all}' flag) is not valid and does not have any effect. Try '${reset}' to start with an empty list of ${what}`,
    )
  if (/\s/.test(pattern)) throw refused(rule, SYNTAX)
  return names.patterns.includes(pattern) ? names : { isAll: false, patterns: [...names.patterns, pattern] }
}

/** Of two rules with the same word the later one counts; `@all` counts for all before it. */
function withCommand(facts: UserFacts, rule: UserFacts['commands'][number]): UserFacts {
  if (rule.word === '@all') return { ...facts, commands: rule.isAllowed ? ALL_COMMANDS : NO_COMMANDS }
  const before = facts.commands.filter(({ word }) => word !== rule.word && !word.startsWith(`${rule.word}|`))
  return { ...facts, commands: [...before, rule] }
}

function checkedWord(word: string, rule: string, table: CommandNames): string {
  if (word.startsWith('@')) {
    if (word !== '@all' && !CATEGORIES.includes(word.slice(1))) throw refused(rule, UNKNOWN_COMMAND)
    return word
  }
  const [name, sub, ...more] = word.split('|') as [string, ...string[]]
  const isKnown =
    sub === undefined
      ? table.find(name, undefined) !== undefined || table.isContainer(name)
      : more.length === 0 && table.isContainer(name) && table.find(name, sub) !== undefined
  if (!isKnown) throw refused(rule, UNKNOWN_COMMAND)
  return word
}

function refused(rule: string, why: string): ReplyError {
  return new ReplyError(`ERR Error in ACL SETUSER modifier '${rule}': ${why}`)
}
