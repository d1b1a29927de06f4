/** What is said of a command, beside what it does. */

export type Group =
  | 'bitmap'
  | 'connection'
  | 'generic'
  | 'geo'
  | 'hash'
  | 'hyperloglog'
  | 'list'
  | 'pubsub'
  | 'scripting'
  | 'server'
  | 'set'
  | 'sorted-set'
  | 'stream'
  | 'string'
  | 'transactions'
  | 'warp'

/** The words of COMMAND INFO. `no_multi`: refused inside MULTI. `unqueued`: runs at once inside MULTI. */
export type Flag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'pubsub'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'fast'
  | 'no_auth'
  | 'no_multi'
  | 'allow_busy'
  | 'unqueued'

/** Which arguments are keys, the name counted as 0; `last` below 0 counts from the end. */
export interface KeyRange {
  readonly first: number
  readonly last: number
  readonly step: number
}

export interface CommandFacts {
  /** Upper case; of a subcommand both words. */
  readonly name: string
  /** Words with the name, both words of a subcommand; negative: at least so many. */
  readonly arity: number
  readonly flags: readonly Flag[]
  readonly group: Group
  /** One line, with a full stop. */
  readonly summary: string
  /** The version of Redis that brought it; of Warp's own commands that of Warp. */
  readonly since: string
  readonly keys?: KeyRange
  /** Names of channels, which a user may be kept from as from keys. */
  readonly channels?: KeyRange
  /** Patterns of channels: a user who is kept from some has to give one of those in the rules. */
  readonly patterns?: KeyRange
  /** Where keys stand that no range says: their places. Throws nothing. */
  readonly findKeys?: (args: readonly string[]) => readonly number[]
}

/** `client|id`. */
export function lowerName({ name }: Pick<CommandFacts, 'name'>): string {
  return name.toLowerCase().replace(' ', '|')
}

/** The places of a command's keys. */
export function keyPlaces(
  { keys, findKeys }: Pick<CommandFacts, 'keys' | 'findKeys'>,
  args: readonly string[],
): readonly number[] {
  if (findKeys !== undefined) return findKeys(args)
  if (keys === undefined) return []
  const last = keys.last < 0 ? args.length + keys.last : Math.min(keys.last, args.length - 1)
  const places: number[] = []
  for (let place = keys.first; place <= last; place += keys.step) places.push(place)
  return places
}
