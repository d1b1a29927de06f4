/** Categories of commands, as rules of users name them: those of Redis, as far as the table says them, and `warp`. */
import type { CommandFacts, Group } from '../call/command-facts.ts'

const OF_GROUP: Readonly<Record<Group, string | undefined>> = {
  ...{ bitmap: 'bitmap', connection: 'connection', generic: 'keyspace', geo: 'geo', hash: 'hash' },
  ...{ hyperloglog: 'hyperloglog', list: 'list', pubsub: 'pubsub', scripting: 'scripting', server: undefined },
  ...{ set: 'set', 'sorted-set': 'sortedset', stream: 'stream', string: 'string', transactions: 'transaction' },
  warp: 'warp',
}
const DANGEROUS: ReadonlySet<string> = new Set([
  ...['FLUSHALL', 'FLUSHDB', 'INFO', 'KEYS', 'RESTORE', 'ROLE', 'SORT', 'SORT_RO', 'SWAPDB'],
])

export const CATEGORIES: readonly string[] = [
  ...['keyspace', 'read', 'write', 'set', 'sortedset', 'list', 'hash', 'string', 'bitmap', 'hyperloglog', 'geo'],
  ...['stream', 'pubsub', 'admin', 'fast', 'slow', 'blocking', 'dangerous', 'connection', 'transaction', 'scripting'],
  'warp',
]

/** Without the `@`. */
export function categoriesOf({ name, flags, group }: CommandFacts): string[] {
  const has = (flag: CommandFacts['flags'][number]): boolean => flags.includes(flag)
  const own = OF_GROUP[group]
  const categories = [...(own === undefined ? [] : [own]), has('fast') ? 'fast' : 'slow']
  if (has('readonly')) categories.push('read')
  if (has('write')) categories.push('write')
  if (has('blocking')) categories.push('blocking')
  if (has('admin')) categories.push('admin')
  if (has('admin') || DANGEROUS.has(name)) categories.push('dangerous')
  return categories
}
