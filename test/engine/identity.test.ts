/** Under which id a log goes on after it has been opened again. */
import { describe, expect, test } from 'vitest'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
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

/** The bits at the end of the log have rotted, while no process had it open. */
function rotten(files: FaultyFiles, replica: TestEngine): FaultyFiles {
  const name = files.list().find((file) => file.startsWith('segment')) as string
  const bit = (replica.engine.log.end % 2 ** 32) * 8 - 100
  const next = files.kill()
  next.flipBit(name, bit)
  return next
}

// Soak seed 1795390482568: bits at the end of the log had rotted, which looks like a torn tail; the operations there had been sent.
test('the identity changes when the end of the log had to be cut off, though the machine stayed up', async () => {
  const files = faultyFiles()
  const replica = await TestEngine.open({ files })
  for (const value of [1, 2, 3]) await replica.set('reg:1', value)
  const again = await TestEngine.open({ files: rotten(files, replica), env: virtualEnv({ seed: 2 }) })
  expect([again.get('reg:1'), again.engine.log.recovery.sameBoot]).toEqual([2, true])
  expect(again.engine.replica).not.toBe(replica.engine.replica)
})

// Soak seed 1795396834478: the first opening after a power failure was refused on a full disk, and the second one went on under the old id.
describe.each([
  ['a power failure', (files: FaultyFiles) => files.crash()],
  ['bits that rotted', rotten],
])('that the end of the log is uncertain after %s', (_what, after) => {
  async function ended(writesCount = 3): Promise<{ files: FaultyFiles; id: ReplicaId }> {
    const files = faultyFiles()
    const replica = await TestEngine.open({ files, segmentBytes: 1024 })
    for (let i = 0; i < writesCount; i++) await replica.set('reg:1', i)
    await replica.engine.log.settled('durable')
    return { files: after(files, replica), id: replica.engine.replica }
  }

  test('is remembered though the process dies at any step of the next opening', async () => {
    let deaths = 0
    for (let hasDied = true; hasDied;) {
      const { files, id } = await ended()
      files.crashAtStep(files.steps + deaths)
      let next: TestEngine | undefined
      try {
        next = await TestEngine.open({ files, env: virtualEnv({ seed: 2 }) })
        await next.engine.log.settled('durable')
      } catch {
        expect(files.crashed).toBe(true)
      }
      hasDied = files.crashed
      if (hasDied) deaths++
      const again = await TestEngine.open({ files: files.kill(), env: virtualEnv({ seed: 3 }) })
      expect(again.engine.replica).not.toBe(id)
      // And it is accepted once: the new id stays.
      if (!hasDied) expect(again.engine.replica).toBe(next?.engine.replica)
    }
    expect(deaths).toBeGreaterThan(4)
  })

  test('is remembered though the disk is full at the next opening', async () => {
    let refusals = 0
    for (let writesCount = 1; writesCount < 20; writesCount++) {
      const { files, id } = await ended(writesCount)
      files.spaceBytes = 0
      const opened = TestEngine.open({ files, env: virtualEnv({ seed: 2 }), segmentBytes: 1024 })
      await opened.catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
        refusals++
      })
      const next = files.kill()
      next.spaceBytes = Infinity
      const again = await TestEngine.open({ files: next, env: virtualEnv({ seed: 3 }) })
      expect(again.engine.replica).not.toBe(id)
    }
    expect(refusals).toBeGreaterThan(0)
  })
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
