import { expect, test } from 'vitest'
import { seededRandom } from '../../testing/world/random.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { cycleCount, linesUntilKilled } from './killed-child.ts'
import { Said } from './said.ts'

/** Starting a process takes a tenth of a second on an idle machine, and there is no telling on a busy one. */
const TIMEOUT_MS = 3_600_000

test(
  'an engine whose process is killed loses no acknowledged operation and uses no dot twice',
  async () => {
    const path = temporaryFolder()
    const random = seededRandom(`engine-kill ${process.env['SEED'] ?? ''}`)
    const cycles = cycleCount(50)
    const said = new Said()
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const afterAcked = random.pick([0, 1, random.between(2, 30), random.between(30, 200)])
      const lines = await linesUntilKilled({
        program: 'engine-writer',
        arguments: [path, String(random.uint32())],
        afterAcked,
      })
      for (const line of lines) said.take(line)
      // Now and then the next writer is the first to open what this one left.
      if (cycle === cycles || random.chance(0.6)) await said.check(path)
    }
    expect(said.acked.size).toBeGreaterThan(cycles)
  },
  TIMEOUT_MS,
)
