/** The log that `log-writer-process.ts` writes and the test checks: record n holds n and bytes that follow from n. */
import type { Env } from '../../src/ports/env.ts'
import type { LogFiles } from '../../src/ports/files.ts'
import { Log, RECORD_KIND, type RecordView } from '../../src/log/log.ts'
import type { Random } from '../../testing/world/random.ts'

/** Small, so that a run of a second crosses many segments. */
const SEGMENT_BYTES = 65_536
const FILLER_BYTES_MAX = 700

export interface NumberedLog {
  readonly log: Log
  /** The newest number found when the log was opened. */
  readonly last: number
}

export async function openNumbered(files: LogFiles, env: Env): Promise<NumberedLog> {
  let last = 0
  const log = await Log.open(
    { files, env, segmentBytes: SEGMENT_BYTES, syncIntervalMs: 20 },
    {
      restore: (body) => {
        last = new DataView(body.buffer, body.byteOffset).getUint32(0)
      },
      record: (record) => {
        if (record.kind === RECORD_KIND.operation) last = record.view.getUint32(record.start)
      },
    },
  )
  return { log, last }
}

export function appendNumber(log: Log, n: number): void {
  const writer = log.begin()
  writer.u32(n)
  for (let i = fillerLength(n); i > 0; i--) writer.u8((n * 31 + i) & 0xff)
  log.commit(RECORD_KIND.operation, 0)
}

export function checkpointNumber(log: Log, n: number): Promise<void> {
  const body = new Uint8Array(4)
  new DataView(body.buffer).setUint32(0, n)
  return log.writeCheckpoint(body)
}

/** How many records there are, all in order and each as it was written; throws at the first that is not. */
export function countNumbers(log: Log): number {
  let count = 0
  log.scan(0, (record) => {
    if (record.kind !== RECORD_KIND.operation) return true
    count++
    if (!holds(record, count)) throw new Error(`record ${count} of the log is not as it was written`)
    return true
  })
  return count
}

/** How many records to append at once. */
export function batchLength(random: Random): number {
  return random.pick([1, 1, 1, 4, 30])
}

function holds(record: RecordView, n: number): boolean {
  if (record.end - record.start !== 4 + fillerLength(n) || record.view.getUint32(record.start) !== n) return false
  for (let i = fillerLength(n); i > 0; i--) if (record.bytes[record.end - i] !== ((n * 31 + i) & 0xff)) return false
  return true
}

function fillerLength(n: number): number {
  return (n * 7919) % FILLER_BYTES_MAX
}
