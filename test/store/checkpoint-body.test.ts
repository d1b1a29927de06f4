/** A checkpoint is encoded in steps while keys are written, read, forgotten and compacted, and is of one moment all the same. */
import { expect, test } from 'vitest'
import { checkLogOn } from '../../src/audit/check-log.ts'
import type { Finding } from '../../src/audit/finding.ts'
import { STEP } from '../../src/operation/budget.ts'
import type { Slot } from '../../src/keys/key-table.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { disk, storeOf } from '../audit/prepared-logs.ts'
import { keysRetaining, TestEngine } from '../engine/engine-fixture.ts'

const KEYS = 5000

test('a checkpoint is of the moment at which it was begun, whatever is written while it is encoded', async () => {
  const files = disk()
  const env = virtualEnv()
  let turns = 0
  /** Called in each turn while the checkpoint is encoded. */
  let meddle: ((turn: number) => void) | undefined
  const watched = {
    ...env,
    yield: async () => {
      await env.yield()
      meddle?.(++turns)
    },
  }
  const one = await TestEngine.open({ retain: 'all', env: watched, files })
  for (let i = 0; i < KEYS; i++) void one.set(`reg:${i}`, i)
  const { keys } = one.engine.store
  meddle = (turn) => {
    // The first and the last key, one that is new, one that is gone, and another one in its place.
    for (const i of [0, 1, KEYS - 1]) void one.set(`reg:${i}`, `turn ${turn}`)
    void one.write('count:1', 'increment')
    one.engine.store.removeKey(keys.find(`reg:${KEYS - 10 - turn}`) as Slot)
    void one.set(`reg:new ${turn}`, turn)
  }
  const written = one.engine.checkpoint()
  await env.runUntilIdle()
  await written
  meddle = undefined
  expect(turns).toBeGreaterThanOrEqual(Math.floor(KEYS / STEP.operations))

  await one.engine.log.settled('logged')
  const findings: Finding[] = []
  const logs = [storeOf(files)]
  await checkLogOn(
    { env: virtualEnv() },
    { logs, keys: keysRetaining('all'), onFinding: (found) => findings.push(found) },
  )
  // Only what was torn out of the table without a word to the log is told.
  expect(findings.filter(({ kind }) => kind === 'checkpoint')).toEqual([])
  const again = await TestEngine.open({ retain: 'all', env: virtualEnv(), files: files.copy() })
  expect(again.engine.log.recovery.checkpointUsed).toBe(true)
  for (const key of ['reg:0', 'reg:1', `reg:${KEYS - 1}`, 'count:1', 'reg:new 1', 'reg:7'])
    expect([key, again.get(key), again.version(key)]).toEqual([key, one.get(key), one.version(key)])
  await again.close()
  await one.close()
})

test('a checkpoint says up to when ends of lives may have gone untold', async () => {
  const files = disk()
  const one = await TestEngine.open({ retain: 'all', env: virtualEnv(), files })
  void one.set('reg:1', 1)
  one.engine.store.keys.expiredThroughMs = 1234
  await one.close()
  const again = await TestEngine.open({ retain: 'all', env: virtualEnv(), files: files.copy() })
  expect(again.engine.log.recovery.checkpointUsed).toBe(true)
  expect(again.engine.store.keys.expiredThroughMs).toBe(1234)
  await again.close()
})
