/** Options that several commands have, and the reading of what they were given. */
import type { OptionDescription } from '../program/command.ts'
import type { ConfigFlags } from './config.ts'
import { UsageError } from '../program/failure.ts'

/** The interface of {@link DATA_OPTIONS}. */
export interface DataFlags extends ConfigFlags {
  readonly fullIds?: boolean
}

/** Where the data is and what the keys mean. */
export const DATA_OPTIONS: readonly OptionDescription[] = [
  { flags: '--data <dir>', about: "the data's folder (default: the configuration's, else ./data)" },
  {
    flags: '--config <file>',
    about: 'the configuration (default: warp.config.json here, else in the folder)',
  },
  {
    flags: '--key <pattern=strategy>',
    about: "what keys mean: 'cart:*=set'; over the configuration; may be repeated",
    repeatable: true,
  },
  { flags: '--full-ids', about: 'show ids of replicas whole, instead of names and short ids' },
]

/** Throws `UsageError`. */
export function wholeNumber(flag: string, text: string | undefined, min = 1): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < min || text.trim() === '') {
    throw new UsageError(`${flag} ${text}: it is a whole number of at least ${min}`)
  }
  return value
}
