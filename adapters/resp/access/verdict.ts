/** Whether a user may do what a request asks for, and what it is told if not. */
import { keyPlaces, lowerName, type CommandFacts } from '../call/command-facts.ts'
import type { User } from './user.ts'

export interface Refused {
  readonly reason: 'channel' | 'command' | 'key'
  /** The command, the key or the channel. */
  readonly object: string
}

/** `undefined`: it may. Whoever says who it is may always do so. */
export function refusedTo(user: User, command: CommandFacts, args: readonly string[]): Refused | undefined {
  if (!user.mayRun(command) && !command.flags.includes('no_auth'))
    return { reason: 'command', object: lowerName(command) }
  const wordsAt = (places: readonly number[]): string[] => places.map((place) => args[place] as string)
  const key = wordsAt(keyPlaces(command, args)).find((one) => !user.mayName(one))
  if (key !== undefined) return { reason: 'key', object: key }
  const { channels, patterns } = command
  const named = channels === undefined ? [] : wordsAt(keyPlaces({ keys: channels }, args))
  const heard = patterns === undefined ? [] : wordsAt(keyPlaces({ keys: patterns }, args))
  const channel = named.find((one) => !user.mayUseChannel(one)) ?? heard.find((one) => !user.mayListen(one))
  return channel === undefined ? undefined : { reason: 'channel', object: channel }
}

export function refusalText({ reason, object }: Refused): string {
  if (reason === 'command') return `NOPERM this user has no permissions to run the '${object}' command`
  return `NOPERM this user has no permissions to access one of the ${reason}s used as arguments`
}
