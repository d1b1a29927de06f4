/** The machine dies at each step of a compaction in turn: nothing that was durable is lost, changed or back from the dead. */
import { expect, test } from 'vitest'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { TestEngine } from './engine-fixture.ts'

const SEGMENT_BYTES = 2048
/** After everything has expired. */
const LATER_MS = 1_700_000_100_000

function open(files: FaultyFiles, wallMs?: number): Promise<TestEngine> {
  const env = virtualEnv(wallMs === undefined ? {} : { wallMs })
  return TestEngine.open({ files, env, segmentBytes: SEGMENT_BYTES })
}

/** Keys in every state: alive, overwritten, deleted, expired, written again after each of these, compacted and not. */
async function lived(seed: number): Promise<{ files: FaultyFiles; replica: TestEngine }> {
  const random = seededRandom(seed)
  const files = faultyFiles({ seed })
  const replica = await open(files)
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 40; i++) {
      const n = random.below(6)
      const kind = random.pick(['reg', 'ttl', 'set', 'count', 'own', 'mv'])
      if (random.chance(0.3)) void replica.write(`${kind}:${n}`, 'delete')
      else if (kind === 'set') void replica.write(`set:${n}`, 'add', [`${round}-${i}`])
      else if (kind === 'count' || kind === 'own') void replica.write(`${kind}:${n}`, 'increment', [1])
      else void replica.set(`${kind}:${n}`, `${round}-${i}`)
    }
    await replica.env.advance(random.pick([10, 3000]))
    if (round < 2) await replica.engine.compact()
    if (random.chance(0.5)) await replica.engine.checkpoint()
  }
  await replica.env.advance(5000)
  await replica.engine.log.settled('durable')
  return { files, replica }
}

/** As it is read once all that expires has expired. */
function readable(replica: TestEngine): unknown {
  replica.env.setWall(LATER_MS)
  const { keys, values } = replica.engine.store
  for (const slot of keys.occupied()) values.residency.outdate(slot)
  return replica.state()
}

async function compactAndCrash(seed: number, step: number): Promise<boolean> {
  const { files, replica } = await lived(seed)
  const before = readable(replica)
  const { floor } = replica.engine
  const floorBefore = floor.copy()
  files.crashAtStep(files.steps + step)
  await replica.engine.compact().catch(() => undefined)
  await replica.engine.checkpoint().catch(() => undefined)
  const hasCrashed = files.crashed
  const after = files.crash()
  const survived = await open(after, LATER_MS)
  expect(readable(survived), `seed ${seed}, step ${step}`).toEqual(before)
  expect(survived.engine.floor.dominates(floorBefore)).toBe(true)
  expect(survived.engine.applied.dominates(survived.engine.floor)).toBe(true)
  // And whatever was half done can be done, and read again.
  await survived.engine.compact()
  await survived.engine.log.settled('durable')
  expect(readable(survived)).toEqual(before)
  const again = await open(after.kill(), LATER_MS)
  expect(readable(again)).toEqual(before)
  return hasCrashed
}

test.each([1, 2, 3, 4])('a compaction may die at every step (seed %i)', async (seed) => {
  let step = 0
  while (await compactAndCrash(seed, step)) step++
  expect(step).toBeGreaterThan(10)
})
