import { expect, test } from 'vitest'
import { Barriers } from '../../../adapters/broker/barriers.ts'
import { WarpError } from '../../../src/index.ts'
import type { AppendOutcome } from '../../../src/ports/ordered-log.ts'

/** Each record has a place when it is told to. */
function played() {
  const appends: ((outcome: AppendOutcome) => void)[] = []
  const barriers = new Barriers(() => new Promise((resolve) => appends.push(resolve)))
  return { barriers, appends }
}

async function turn(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

test('who asks while a record is under way waits for the next one, and shares it', async () => {
  const { barriers, appends } = played()
  const first = barriers.place()
  await turn()
  const others = [barriers.place(), barriers.place(), barriers.place()]
  await turn()
  expect(appends).toHaveLength(1)
  appends[0]!({ kind: 'appended', offset: 5 })
  expect(await first).toBe(5)
  await turn()
  expect(appends).toHaveLength(2)
  appends[1]!({ kind: 'appended', offset: 9 })
  expect(await Promise.all(others)).toEqual([9, 9, 9])
})

test('who asks at the same moment shares one record', async () => {
  const { barriers, appends } = played()
  const both = [barriers.place(), barriers.place()]
  await turn()
  expect(appends).toHaveLength(1)
  appends[0]!({ kind: 'appended', offset: 1 })
  expect(await Promise.all(both)).toEqual([1, 1])
})

test('a record without a place is an error for those who wait for it, and for nobody else', async () => {
  const { barriers, appends } = played()
  const first = barriers.place()
  await turn()
  const second = barriers.place()
  appends[0]!({ kind: 'unknown', error: new WarpError('WARP_E_TRANSPORT', 'lost') })
  await expect(first).rejects.toThrow('lost')
  await turn()
  appends[1]!({ kind: 'appended', offset: 2 })
  expect(await second).toBe(2)
})

test('who gives up does not hold up others', async () => {
  const { barriers, appends } = played()
  const controller = new AbortController()
  const [given, kept] = [barriers.place(controller.signal), barriers.place()]
  controller.abort()
  await expect(given).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_ABORTED' }))
  await turn()
  appends[0]!({ kind: 'appended', offset: 3 })
  expect(await kept).toBe(3)
})
