/** Under which id a log goes on after it has been opened again. */
import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/memory-files.ts'
import { faultyFiles } from '../../src/testing/faulty-files.ts'
import { virtualEnv } from '../../src/testing/virtual-env.ts'
import { TestEngine } from './engine-fixture.ts'

test('the identity stays after a clean close on another boot, and after a kill on the same one', async () => {
  const files = memoryFiles({ persistent: true, home: 'h', bootId: '1' })
  const replica = await TestEngine.open({ files })
  await replica.set('reg:1', 1)
  const killed = await TestEngine.open({ files: files.copy() })
  expect(killed.engine.replica).toBe(replica.engine.replica)
  await replica.close()
  const rebooted = await TestEngine.open({ files: files.copy({ bootId: '2' }) })
  expect(rebooted.engine.replica).toBe(replica.engine.replica)
})

test('the identity changes after an unclean end on another boot, and the new one knows all that is there', async () => {
  const files = memoryFiles({ persistent: true, home: 'h', bootId: '1' })
  const replica = await TestEngine.open({ files })
  await replica.set('reg:1', 1)
  const again = await TestEngine.open({ files: files.copy({ bootId: '2' }), env: virtualEnv({ seed: 2 }) })
  const [from, to] = [replica.engine.replica, again.engine.replica]
  expect(to).not.toBe(from)
  expect(again.events.filter(({ kind }) => kind === 'identity:changed')).toEqual([
    { kind: 'identity:changed', from, to },
  ])
  expect((await again.set('reg:1', 2)).dot).toEqual({ replica: to, sequence: 1 })
  expect(again.engine.firstSaw?.get(from)).toBe(1)
})

// Soak seed 1795390482568: bits at the end of the log had rotted, which looks like a torn tail; the operations there had been sent.
test('the identity changes when the end of the log had to be cut off, though the machine stayed up', async () => {
  const files = faultyFiles()
  const replica = await TestEngine.open({ files })
  for (const value of [1, 2, 3]) await replica.set('reg:1', value)
  const name = files.list().find((file) => file.startsWith('segment')) as string
  const bit = (replica.engine.log.end % 2 ** 32) * 8 - 100
  const next = files.kill()
  next.flipBit(name, bit)
  const again = await TestEngine.open({ files: next, env: virtualEnv({ seed: 2 }) })
  expect([again.get('reg:1'), again.engine.log.recovery.sameBoot]).toEqual([2, true])
  expect(again.engine.replica).not.toBe(replica.engine.replica)
})

test('the identity stays what it was when a process has died and nothing had to be cut off', async () => {
  const files = faultyFiles()
  const replica = await TestEngine.open({ files })
  await replica.set('reg:1', 1)
  const again = await TestEngine.open({ files: files.kill(), env: virtualEnv({ seed: 2 }) })
  expect([again.engine.replica, again.engine.log.recovery.clean]).toEqual([replica.engine.replica, false])
})

test('the identity changes when the folder has been copied elsewhere', async () => {
  const files = memoryFiles({ persistent: true, home: 'here', bootId: '1' })
  const replica = await TestEngine.open({ files })
  await replica.set('reg:1', 1)
  await replica.close()
  const copy = await TestEngine.open({ files: files.copy({ home: 'there' }), env: virtualEnv({ seed: 2 }) })
  expect(copy.engine.replica).not.toBe(replica.engine.replica)
  expect(copy.get('reg:1')).toBe(1)
})
