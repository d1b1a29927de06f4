/** Every question that a replica answers over its control socket, by name. */
import type { AnyQuestion } from './question.ts'
import { CHECK } from './questions/checking.ts'
import { AT, EXPLAIN, LOG } from './questions/history.ts'
import { EVICT } from './questions/members.ts'
import { GET, KEYS } from './questions/reading.ts'
import { COMPACT, EXPORT, IMPORT } from './questions/transfer.ts'
import { PEERS, REPLICAS, STATS, WATCH } from './questions/watching.ts'
import { DELETE, DO, SET } from './questions/writing.ts'

const ALL: readonly AnyQuestion[] = [
  GET,
  KEYS,
  SET,
  DELETE,
  DO,
  LOG,
  AT,
  EXPLAIN,
  WATCH,
  STATS,
  PEERS,
  REPLICAS,
  EVICT,
  CHECK,
  EXPORT,
  IMPORT,
  COMPACT,
]

export const QUESTIONS: ReadonlyMap<string, AnyQuestion> = new Map(ALL.map((question) => [question.name, question]))
