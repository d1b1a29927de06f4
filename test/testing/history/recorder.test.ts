import { expect, test } from 'vitest'
import { WarpError } from '../../../crdt/warp-error.ts'
import { pairCalls } from '../../../testing/history/calls.ts'
import { HistoryRecorder } from '../../../testing/history/recorder.ts'

test('events stand in the order in which they were recorded, with the times of the given clock', () => {
  let now = 0
  const recorder = new HistoryRecorder(() => now++)
  const write = recorder.invoke(0, { f: 'write', key: 'x', value: 1 })
  const read = recorder.invoke(1, { f: 'read', key: 'x' })
  read.ok(null)
  write.ok()
  expect(recorder.history({ title: 'two' })).toEqual({
    header: { title: 'two' },
    events: [
      { type: 'invoke', process: 0, f: 'write', key: 'x', value: 1, time: 0 },
      { type: 'invoke', process: 1, f: 'read', key: 'x', time: 1 },
      { type: 'ok', process: 1, f: 'read', key: 'x', value: null, time: 2 },
      { type: 'ok', process: 0, f: 'write', key: 'x', time: 3 },
    ],
  })
})

test('what code throws decides the outcome: only an error that says that nothing was applied is a failure', async () => {
  const recorder = new HistoryRecorder()
  const throwing = (error: Error) => () => Promise.reject(error)
  await recorder.run(0, { f: 'read' }, () => Promise.resolve(7))
  const failed = new WarpError('WARP_E_STORAGE_FULL', 'full')
  await expect(recorder.run(0, { f: 'write' }, throwing(failed))).rejects.toBe(failed)
  const lost = new WarpError('WARP_E_TRANSPORT', 'gone', { outcome: 'indeterminate' })
  await expect(recorder.run(0, { f: 'write' }, throwing(lost))).rejects.toBe(lost)
  await expect(recorder.run(0, { f: 'write' }, throwing(new Error('what')))).rejects.toThrow('what')
  recorder.invoke(0, { f: 'read' })
  const outcomes = pairCalls(recorder.history().events).map(({ outcome }) => outcome)
  expect(outcomes).toEqual(['ok', 'failed', 'indeterminate', 'indeterminate', 'indeterminate'])
})
