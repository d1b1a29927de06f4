/**
 * What scripts find: the libraries of Redis in Lua, over a few functions of the host. One chunk, which runs
 * once for each state and returns what the host calls before a script. Every table of a library is behind
 * a proxy that cannot be written, so that a script leaves nothing to the next one.
 *
 * `io`, `os`, `package` and `debug` are never opened. Of the base library what reaches files, binary
 * chunks, environments and the collector is taken away.
 */
import { COMMANDS } from './commands.ts'
import { JSON_LIBRARY } from './json.ts'
import { MESSAGE_PACK_LIBRARY } from './message-pack.ts'
import { WORLD } from './world.ts'

export const PRELUDE: string = COMMANDS + JSON_LIBRARY + MESSAGE_PACK_LIBRARY + WORLD
