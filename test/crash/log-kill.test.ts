import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/file-log.ts'
import { nodeEnv } from '../../adapters/node/node-env.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { cycleCount, linesUntilKilled } from './killed-child.ts'
import { countNumbers, openNumbered } from './numbered-log.ts'

/** Starting a process takes a tenth of a second on an idle machine, and there is no telling on a busy one. */
const TIMEOUT_MS = 3_600_000

test(
  'a log whose writer is killed keeps every acknowledged record, as a prefix of what was appended',
  async () => {
    const path = temporaryFolder()
    const random = seededRandom(`log-kill ${process.env['SEED'] ?? ''}`)
    const cycles = cycleCount(20)
    let acked = 0
    for (let cycle = 0; cycle < cycles; cycle++) {
      const afterAcked = random.pick([0, 1, random.between(2, 30), random.between(30, 400)])
      const lines = await linesUntilKilled({
        program: 'log-writer',
        arguments: [path, String(random.uint32())],
        afterAcked,
      })
      for (const line of lines) if (line.startsWith('acked')) acked = Math.max(acked, Number(line.split(' ')[1]))
      // Now and then the next writer is the first to open what this one left.
      if (cycle < cycles - 1 && random.chance(0.3)) continue
      const { log, last } = await openNumbered(await fileLog({ path }).open(), nodeEnv())
      expect(last).toBeGreaterThanOrEqual(acked)
      expect(countNumbers(log)).toBe(last)
      await log.close()
    }
    expect(acked).toBeGreaterThan(cycles)
  },
  TIMEOUT_MS,
)
