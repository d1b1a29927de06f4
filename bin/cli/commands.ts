/** The commands, in the order in which help lists them. */
import type { AnyCommand } from './command.ts'
import { GET_COMMAND } from './commands/get.ts'
import { KEYS_COMMAND } from './commands/keys.ts'
import { SET_COMMAND } from './commands/set.ts'

export const COMMANDS: readonly AnyCommand[] = [GET_COMMAND, SET_COMMAND, KEYS_COMMAND]
