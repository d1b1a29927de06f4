import { onTestFinished, expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { type Random, seededRandom } from '../../testing/world/random.ts'
import { startChild } from '../adapters/file/child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { KEYS } from './engine-keys.ts'
import { CrashChild, cycleCount } from './killed-child.ts'
import { Said } from './said.ts'

/** Starting a process takes a tenth of a second on an idle machine, and there is no telling on a busy one. */
const TIMEOUT_MS = 3_600_000

type Ending = 'killed while stopped' | 'killed while it runs' | 'killed as it is continued'
const ENDINGS: readonly Ending[] = ['killed while stopped', 'killed while it runs', 'killed as it is continued']

interface Contenders {
  readonly path: string
  /** Tries to open the folder from a third process. */
  openElsewhere(): Promise<string>
}

/** A stopped process is not a dead one: nobody else gets the folder, however often it is asked for. */
async function expectHeld(writer: CrashChild, { path, openElsewhere }: Contenders): Promise<void> {
  await expect(openWarp({ log: fileLog({ path }), keys: KEYS })).rejects.toMatchObject({
    code: 'WARP_E_LOG_LOCKED',
    details: { path, pid: writer.pid },
  })
  expect(await openElsewhere()).toBe('WARP_E_LOG_LOCKED')
}

/** One life of a writer: it writes, is stopped and continued a few times, and is killed. */
async function live(writer: CrashChild, contenders: Contenders, random: Random): Promise<readonly string[]> {
  const ending = random.pick(ENDINGS)
  const stops = ending === 'killed while it runs' ? random.between(0, 2) : random.between(1, 3)
  // 0: it has not opened the folder yet, or is at it, so nothing is said of who gets it.
  await writer.hasAcked(random.pick([0, 1, random.between(2, 100)]))
  for (let stop = 1; stop <= stops; stop++) {
    await writer.stop()
    const isHolder = writer.ackedCount > 0
    if (isHolder) await expectHeld(writer, contenders)
    if (stop === stops && ending === 'killed while stopped') break
    writer.continue()
    if (stop < stops || ending === 'killed while it runs')
      await writer.hasAcked(writer.ackedCount + random.between(1, 60))
  }
  return writer.kill()
}

test.skipIf(process.platform !== 'linux')(
  'an engine whose process is stopped, continued and killed loses no acknowledged operation, and while it is stopped nobody else gets its folder (W21)',
  async () => {
    const path = temporaryFolder()
    const third = startChild()
    onTestFinished(() => third.kill())
    const contenders: Contenders = { path, openElsewhere: () => third.ask(`open ${path}`) }
    const random = seededRandom(`engine-stop ${process.env['SEED'] ?? ''}`)
    const cycles = cycleCount(12)
    const said = new Said()
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const writer = new CrashChild({ program: 'engine-writer', arguments: [path, String(random.uint32())] })
      try {
        for (const line of await live(writer, contenders, random)) said.take(line)
      } finally {
        await writer.kill()
      }
      // Now and then the next writer is the first to open what this one left.
      if (cycle === cycles || random.chance(0.6)) await said.check(path)
    }
    expect(said.acked.size).toBeGreaterThan(cycles)
  },
  TIMEOUT_MS,
)
