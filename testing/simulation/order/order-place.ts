/** Where an intent is carried out. */
import type { TimeLine } from '../../world/time-line.ts'
import type { Life } from '../life.ts'
import type { Machine } from '../machine.ts'
import type { RunHistory } from '../report/run-history.ts'

export interface OrderPlace {
  readonly line: TimeLine
  readonly life: Life
  readonly machine: Machine
  readonly history: RunHistory
  /** The number of the call. */
  readonly call: number
}
