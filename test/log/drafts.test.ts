/** Between `begin` and `commit` the log stands still, or nothing is committed. */
import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { append, openQuickly, refusal, texts } from './log-fixture.ts'

test('a draft is committed where it was begun, or not at all', async () => {
  const { log } = await openQuickly(memoryFiles({ persistent: true }))
  const kind = RECORD_KIND.operation
  const code = 'WARP_E_PROTOCOL'
  expect(refusal(() => log.commit(kind, 0))).toMatchObject({ code })
  const outer = log.begin()
  outer.utf8('outer')
  append(log, 'inner, and longer than the outer one')
  outer.utf8('goes on')
  expect(refusal(() => log.commit(kind, 0, outer))).toMatchObject({ code })
  const interrupted = log.begin()
  interrupted.utf8('interrupted')
  log.begin().utf8('given up')
  interrupted.utf8('goes on')
  expect(refusal(() => log.commit(kind, 0, interrupted))).toMatchObject({ code })
  const moved = log.begin()
  moved.utf8('moved')
  const saving = log.writeCheckpoint(Uint8Array.of(1))
  moved.utf8('goes on'.repeat(100))
  expect(refusal(() => log.commit(kind, 0, moved))).toMatchObject({ code })
  await saving
  append(log, 'last')
  await log.settled('durable')
  expect(texts(log)).toEqual(['inner, and longer than the outer one', 'last'])
  for await (const damage of log.verify()) expect.fail(damage.reason)
})

test("a record of a kind that is the log's own, or that points forward, is refused before a segment is begun", async () => {
  const { log } = await openQuickly(memoryFiles({ persistent: true }))
  const before = log.segments()
  for (const [kind, previous] of [
    [0, 0],
    [8, 0],
    [17, 0],
    [1, log.end],
  ] as const) {
    log.begin().raw(new Uint8Array(5000))
    expect(refusal(() => log.commit(kind, previous))).toMatchObject({ code: 'WARP_E_PROTOCOL' })
  }
  expect(log.segments()).toEqual(before)
})
