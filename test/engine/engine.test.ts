import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { nodeEnv } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { Step, STEP } from '../../src/operation/budget.ts'
import { Engine } from '../../src/engine.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

async function openEngine(): Promise<Engine> {
  return Engine.open({
    files: await fileLog({ path: temporaryFolder() }).open(),
    env: nodeEnv(),
    keyspaces: new Keyspaces({ 'n:*': counter() }),
    cache: { entriesMax: Infinity, bytesMax: Infinity },
    clockDriftMsMax: 500,
    isReplicated: true,
    observe: () => undefined,
  })
}

test('a scan ends before what has not been flushed, and goes on with it later', async () => {
  const engine = await openEngine()
  const { store } = engine
  const append = (): void => {
    const key = 'n:1'
    const keyspace = store.keyspaceOf(key)
    store.append({ key, keyspace, slot: store.keys.find(key), kind: 1, payload: 1 })
  }
  const seen: number[] = []
  const scan = (from: number): number => engine.scanOperations(from, ({ sequence }) => seen.push(sequence) > 0)
  append()
  await engine.log.settled('logged')
  append()
  append()
  const next = scan(0)
  expect(seen).toEqual([1])
  await engine.log.settled('logged')
  scan(next)
  expect(seen).toEqual([1, 2, 3])
  await engine.close()
})

test('a scan looks at no more records than its step allows, operations or not', async () => {
  const engine = await openEngine()
  const { store } = engine
  const STEPS = 3
  const count = STEP.operations * STEPS
  for (let i = 0; i < count; i++) {
    const key = `n:${i}`
    store.append({ key, keyspace: store.keyspaceOf(key), slot: store.keys.find(key), kind: 1, payload: 1 })
  }
  await engine.log.settled('logged')
  const step = new Step()
  const found: number[] = []
  let position = 0
  for (let i = 0; i < STEPS; i++) {
    let visited = 0
    step.begin()
    position = engine.scanOperations(position, () => ++visited > 0, step)
    found.push(visited)
  }
  // Records that are no operations stand between them and count as well.
  expect(Math.max(...found)).toBeLessThanOrEqual(STEP.operations)
  expect(Math.min(...found)).toBeGreaterThan(STEP.operations / 2)
  expect(position).toBeLessThanOrEqual(engine.log.end)
  await engine.close()
})
