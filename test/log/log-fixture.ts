/** What the tests of the log share: a log on one of the disks in RAM, whose records are short texts. */
import type { Env } from '../../src/ports/env.ts'
import type { LogFiles } from '../../src/ports/files.ts'
import type { LogEvent, LogOptions, RecordView } from '../../src/log/log.ts'
import type { Position } from '../../src/operation/position.ts'
import { Log, RECORD_KIND } from '../../src/log/log.ts'
import { OVERWRITING_MEMORY } from '../../testing/world/overwriting-memory.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const DECODER = new TextDecoder()

/** Nothing waits for a turn of the event loop, so that thousands of openings take seconds. Timers never fire. */
export const QUICK: Pick<LogOptions, 'env' | 'segmentBytes'> = {
  env: { ...virtualEnv(), yield: () => Promise.resolve(), defer: queueMicrotask },
  segmentBytes: 4096,
}

export interface Opened<Files extends LogFiles = LogFiles> {
  readonly files: Files
  readonly log: Log
  readonly env: Env
  /** What opening replayed, in order. */
  readonly replayed: { text: string; position: Position }[]
  /** The body of the checkpoint that opening restored. */
  readonly restored: Uint8Array | undefined
  readonly events: LogEvent[]
}

export async function openLog<Files extends LogFiles>(
  files: Files,
  options: Partial<LogOptions> = {},
): Promise<Opened<Files>> {
  const env = options.env ?? virtualEnv()
  const replayed: { text: string; position: Position }[] = []
  const events: LogEvent[] = []
  let restored: Uint8Array | undefined
  const log = await Log.open(
    {
      files,
      env,
      memory: OVERWRITING_MEMORY,
      segmentBytes: 16_384,
      observe: (event) => events.push(event),
      ...options,
    },
    {
      restore: (body) => {
        restored = body.slice()
      },
      record: (record) => replayed.push({ text: textOf(record), position: record.position }),
    },
  )
  return { files, log, env, replayed, restored, events }
}

/** A log in small segments that waits for nothing but the disk. */
export function openQuickly<Files extends LogFiles>(files: Files): Promise<Opened<Files>> {
  return openLog(files, QUICK)
}

/** What `work` throws. */
export function refusal(work: () => void): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

export function append(log: Log, text: string, previous: Position = 0): Position {
  log.begin().utf8(text)
  return log.commit(RECORD_KIND.operation, previous)
}

export function textOf(record: RecordView): string {
  return DECODER.decode(record.bytes.subarray(record.start, record.end))
}

export function textAt(log: Log, position: Position): string {
  return textOf(log.record(position))
}

/** The texts from a position on. */
export function texts(log: Log, from: Position = 0): string[] {
  const found: string[] = []
  log.scan(from, (record) => found.push(textOf(record)) > 0)
  return found
}

/** `count` texts of different lengths, none empty. */
export function sampleTexts(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => `record ${from + i} `.padEnd(20 + (((from + i) * 37) % 180), '.'))
}
