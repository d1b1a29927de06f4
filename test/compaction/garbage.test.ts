import { expect, test } from 'vitest'
import { Garbage, type GarbageOptions } from '../../src/compaction/garbage.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'

/** A log of segments that are all garbage. Whoever rewrites the first loses those behind it, too. */
function logThatBeginsAnew() {
  let numbers = [4, 5, 6]
  const rewritten: number[] = []
  return {
    rewritten,
    segments: () => numbers.map((number) => ({ number, bytes: 1000, sealed: true, discardedBytes: 900 })),
    rewrite: (number: number): Promise<void> => {
      if (!numbers.includes(number)) return Promise.reject(new Error(`segment ${number} is gone`))
      rewritten.push(number)
      numbers = number === 4 ? [6] : []
      return Promise.resolve()
    },
  }
}

test('a segment that went with one in front of it is not rewritten', async () => {
  const log = logThatBeginsAnew()
  const options = { store: { log, table: new ReplicaTable() }, holds: { isWhole: false }, forgotten: [], orphans: [] }
  const garbage = new Garbage(options as unknown as GarbageOptions)
  await garbage.rewriteSegments()
  expect(log.rewritten).toEqual([4, 6])
})
