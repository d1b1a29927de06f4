/** Which checkpoint a log is opened from: the newest good one whose log is here. */
import type { LogEvent } from '../log-event.ts'
import type { SegmentSet } from '../segments/segment-set.ts'
import { type Checkpoint, checkpointName, decodeCheckpoint } from './checkpoint.ts'
import { describePosition, segmentOf } from '../segments/segment-format.ts'
import { corrupt, readWhole } from './stored-files.ts'

export interface CheckpointChoice {
  readonly segments: SegmentSet
  /** Of the checkpoints that there are, the newest first. */
  readonly numbers: readonly number[]
  readonly observe: (event: LogEvent) => void
}

/**
 * Throws `WARP_E_LOG_CORRUPT` if the segment that the newest good one leads to is missing or
 * another one.
 */
export function newestCheckpoint({ segments, numbers, observe }: CheckpointChoice): Checkpoint | undefined {
  for (const number of numbers) {
    const name = checkpointName(number)
    const checkpoint = decodeCheckpoint(readWhole(segments.files, name), name, segments.formatRead)
    if (typeof checkpoint !== 'string') {
      checkClaim(checkpoint, name, segments)
      return checkpoint
    }
    observe({ kind: 'checkpoint-ignored', name, reason: checkpoint })
  }
  return undefined
}

function checkClaim({ from, salt }: Checkpoint, name: string, segments: SegmentSet): void {
  if (segmentOf(from) < segments.first) return
  if (segments.find(from)?.salt === salt) return
  throw corrupt(`${name} covers the log up to ${describePosition(from)}, and that segment is missing or another one`, {
    file: name,
  })
}
