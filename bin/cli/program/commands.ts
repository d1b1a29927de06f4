/** The commands, in the order in which help lists them. */
import type { AnyCommand } from './command.ts'
import { AT_COMMAND } from '../commands/at.ts'
import { CHECK_COMMAND } from '../commands/check.ts'
import { COMPACT_COMMAND } from '../commands/compact.ts'
import { completionCommand } from '../commands/completion.ts'
import { DELETE_COMMAND } from '../commands/delete.ts'
import { DEMO_COMMAND } from '../commands/demo.ts'
import { DO_COMMAND } from '../commands/do.ts'
import { EVICT_COMMAND } from '../commands/evict.ts'
import { EXPLAIN_COMMAND } from '../commands/explain.ts'
import { EXPORT_COMMAND } from '../commands/export.ts'
import { GET_COMMAND } from '../commands/get.ts'
import { IMPORT_COMMAND } from '../commands/import.ts'
import { KEY_COMMAND } from '../commands/key.ts'
import { KEYS_COMMAND } from '../commands/keys.ts'
import { LOG_COMMAND } from '../commands/log.ts'
import { PEERS_COMMAND } from '../commands/peers.ts'
import { REPLAY_COMMAND } from '../commands/replay.ts'
import { SET_COMMAND } from '../commands/set.ts'
import { SIM_COMMAND } from '../commands/sim.ts'
import { START_COMMAND } from '../commands/start.ts'
import { STATS_COMMAND } from '../commands/stats.ts'
import { VERIFY_COMMAND } from '../commands/verify.ts'
import { WATCH_COMMAND } from '../commands/watch.ts'

const OTHERS: readonly AnyCommand[] = [
  DEMO_COMMAND,
  START_COMMAND,
  GET_COMMAND,
  SET_COMMAND,
  DELETE_COMMAND,
  DO_COMMAND,
  KEYS_COMMAND,
  WATCH_COMMAND,
  LOG_COMMAND,
  AT_COMMAND,
  EXPLAIN_COMMAND,
  PEERS_COMMAND,
  EVICT_COMMAND,
  STATS_COMMAND,
  CHECK_COMMAND,
  VERIFY_COMMAND,
  REPLAY_COMMAND,
  COMPACT_COMMAND,
  EXPORT_COMMAND,
  IMPORT_COMMAND,
  KEY_COMMAND,
  SIM_COMMAND,
]

export const COMMANDS: readonly AnyCommand[] = [...OTHERS, completionCommand(OTHERS)]
