/** What a log says of itself: its identity, its size, and what it promises, as data. */
import type { OrderedLogLink } from '../../../src/ports/ordered-log.ts'
import { assert, assertEqual } from '../assert.ts'
import type { Check } from './place.ts'

/** What replication needs for one operation of ordinary size, its key, vectors and fields. */
const RECORD_BYTES_MIN = 256 * 1024

export const PROMISES: Readonly<Record<string, Check>> = {
  'the log has a kind and a name': async ({ subject: { log } }) => {
    assertEqual(log.kind, 'ordered', 'kind')
    assert(log.name.length > 0, 'the log has a name')
  },

  'every link is told the same of the log, before and after all have closed': async (place) => {
    const [a, b] = await place.three()
    const before = shown(a.link)
    assertEqual(shown(b.link), before, 'what another link is told')
    for (const { link } of [a, b]) await place.answer(link.close(), 'closing')
    assertEqual(shown((await place.open()).link), before, 'what a later link is told')
  },

  'the identity is 8 bytes as 16 lower-case hexadecimal digits': async (place) => {
    const { identity } = (await place.open()).link
    assert(/^[0-9a-f]{16}$/.test(identity), `the identity is ${identity}`)
    assert(identity !== '0'.repeat(16), 'the identity is drawn')
  },

  'there are as many partitions as were asked for, and records of 256 KiB are taken': async (place) => {
    const { partitionsCount, recordBytesMax } = (await place.open()).link
    assert(Number.isSafeInteger(partitionsCount) && partitionsCount >= 1, `partitionsCount is ${partitionsCount}`)
    assert(Number.isSafeInteger(recordBytesMax), `recordBytesMax is ${recordBytesMax}`)
    assert(recordBytesMax >= RECORD_BYTES_MIN, `recordBytesMax is ${recordBytesMax}; at least ${RECORD_BYTES_MIN}`)
  },

  'the promises are data that says no more than can be': async (place) => {
    const { acknowledgedBy, survives, copies, accepted } = (await place.open()).link.promises
    assert(['process', 'broker'].includes(acknowledgedBy), `acknowledgedBy is ${acknowledgedBy}`)
    assert(['nothing', 'kill', 'power loss'].includes(survives), `survives is ${survives}`)
    assert(Number.isSafeInteger(copies) && copies >= 1, `copies is ${copies}`)
    assert(Array.isArray(accepted) && accepted.every((name) => typeof name === 'string'), 'accepted is a list of names')
    if (acknowledgedBy === 'process') {
      assertEqual(survives, 'nothing', 'what a record outlives that lies in this process')
      assertEqual(copies, 1, 'copies of a record that lies in this process')
    }
  },
}

function shown({ identity, partitionsCount, recordBytesMax, promises }: OrderedLogLink): string {
  return JSON.stringify([identity, partitionsCount, recordBytesMax, promises])
}
