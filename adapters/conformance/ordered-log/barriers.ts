/** Barriers: who has applied one has seen all that had been acknowledged when it was asked for. */
import { assert, assertEqual } from '../assert.ts'
import { type Check, idsOf } from './place.ts'

const BARRIER = /^barrier:/

export const BARRIERS: Readonly<Record<string, Check>> = {
  'a barrier of an empty log is 0, or a record of its own': async (place) => {
    const [a, b] = await place.three()
    const follower = place.follow(b)
    const barrier = await place.barrier(a)
    if (barrier !== 0)
      await place.until('its record comes', () => follower.records.some(({ offset }) => offset === barrier))
  },

  'a barrier lies at or behind all that was acknowledged, whoever appended it': async (place) => {
    const [a, b, c] = await place.three()
    for (let round = 0; round < 5; round++) {
      const one = await place.append(a, `a-${round}`)
      const two = await place.append(b, `b-${round}`)
      const barrier = await place.barrier(c)
      assert(barrier >= one.offset && barrier >= two.offset, `${barrier} lies before ${one.offset} or ${two.offset}`)
    }
  },

  'the record at a barrier is handed over, behind all that was acknowledged': async (place) => {
    const [a, b] = await place.three()
    const follower = place.follow(b)
    for (let round = 0; round < 3; round++) {
      const acknowledged = await place.appendAll(a, idsOf(`round${round}`, 10))
      const barrier = await place.barrier(b)
      await place.until('the record comes', () => follower.records.some(({ offset }) => offset === barrier))
      const seen = new Set(follower.records.filter(({ offset }) => offset <= barrier).map(({ id }) => id))
      for (const { id } of acknowledged) assert(seen.has(id), `${id} was seen at the barrier`)
    }
  },

  'what a barrier appends is empty, and says so in its id': async (place) => {
    const [a, b] = await place.three()
    const follower = place.follow(b)
    await place.append(a, 'one')
    await place.barrier(a)
    await place.append(a, 'last')
    await place.until('the last record comes', () => follower.has('last'))
    const added = follower.records.filter(({ id }) => id !== 'one' && id !== 'last')
    for (const { id, bytes } of added) {
      assert(BARRIER.test(id), `the id of a record that nobody appended is ${id}`)
      assertEqual(bytes.length, 0, `bytes of ${id}`)
    }
  },

  'barriers of many links at once are answered': async (place) => {
    const members = await place.three()
    const { offset } = await place.append(members[0], 'one')
    const barriers = await Promise.all(members.flatMap((member) => [place.barrier(member), place.barrier(member)]))
    for (const barrier of barriers) assert(barrier >= offset, `${barrier} lies before ${offset}`)
  },
}
