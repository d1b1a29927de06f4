import { expect, test } from 'vitest'
import { Log, RECORD_KIND } from '../../src/log/log.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const SEGMENT_BYTES = 65_536
const BODY_BYTES = 1000

// The opening's mark does not fit behind the mark of a close near the end of the segment: the first thing written is the jump to a new one.
test('a log that was closed near the end of a segment continues in a new one and can be read again', async () => {
  const env = virtualEnv()
  for (let spareBytes = 0; spareBytes < 140; spareBytes += 4) {
    const options = {
      files: memoryFiles({ persistent: true }),
      env,
      segmentBytes: SEGMENT_BYTES,
    }
    const open = (files: typeof options.files): Promise<Log> =>
      Log.open({ ...options, files }, { restore: () => undefined, record: () => undefined })
    const append = (log: Log, length: number): void => {
      log.begin().raw(new Uint8Array(length).fill(1))
      log.commit(RECORD_KIND.operation, 0)
    }
    const first = await open(options.files)
    const free = (): number => SEGMENT_BYTES - 64 - (first.end % 2 ** 32)
    let count = 1
    for (; free() > 3 * BODY_BYTES; count++) append(first, BODY_BYTES)
    append(first, free() - 16 - spareBytes)
    await first.close()
    const files = options.files.copy({ persistent: true })
    const second = await open(files)
    append(second, 10)
    await second.close()
    const third = await open(files.copy({ persistent: true }))
    let found = 0
    third.scan(0, ({ kind }) => {
      if (kind === RECORD_KIND.operation) found++
      return true
    })
    expect(found, `${spareBytes} bytes short of full`).toBe(count + 1)
    await third.close()
  }
})
