/** What readers are handed: from where, how much at a time, and until when. */
import { assert, assertEqual } from '../assert.ts'
import { assertCode } from './order.ts'
import { bytesOf, type Check, idsOf } from './place.ts'

const MANY = 1500

export const DELIVERY: Readonly<Record<string, Check>> = {
  'a reader without a bookmark is handed what is there, and then what comes': async (place) => {
    const [a, b] = await place.three()
    await place.appendAll(a, ['one', 'two'])
    const follower = place.follow(b)
    await place.until('what is there comes', () => follower.ids === 'one two')
    await place.appendAll(a, ['three', 'four'])
    await place.until('what is new comes', () => follower.ids === 'one two three four')
  },

  'a reader with a bookmark is handed what lies behind it': async (place) => {
    const [a, b] = await place.three()
    const [, , three] = await place.appendAll(a, idsOf('record', 5))
    const follower = place.follow(b, three)
    await place.append(a, 'new')
    await place.until('the new record comes', () => follower.has('new'))
    assertEqual(follower.ids.replace('record-2 ', ''), 'record-3 record-4 new', 'the records behind record-2')
  },

  'a reader at the last record waits for the next one': async (place) => {
    const [a, b] = await place.three()
    const one = await place.append(a, 'one')
    await place.rest()
    const reader = place.follow(a)
    await place.until('the record comes', () => reader.has('one'))
    const follower = place.follow(b, reader.last)
    await place.rest()
    assertEqual(follower.batchesCount, 0, 'batches without a new record')
    assert(one.offset >= 1, 'places begin at 1')
    await place.append(a, 'two')
    await place.until('the next one comes', () => follower.ids === 'two')
  },

  'nobody is called from within a call': async (place) => {
    const [a] = await place.three()
    let isInside = false
    const seen: string[] = []
    place.follow(a, undefined, {
      records: (batch) => void seen.push(...batch.map(({ id }) => `${id} ${isInside ? 'inside' : 'later'}`)),
    })
    isInside = true
    const outcome = a.link.append(0, 'one', bytesOf('one'))
    isInside = false
    await place.answer(outcome, 'an append')
    await place.append(a, 'last')
    await place.until('the last record comes', () => seen.includes('last later'))
    assert(!seen.some((entry) => entry.endsWith('inside')), 'a record is handed over when append has returned')
  },

  'a reader is handed no more until it has dealt with what it has': async (place) => {
    const [a, b] = await place.three()
    const gate = new Gate()
    const follower = place.follow(b, undefined, { records: () => gate.passed() })
    await place.append(a, 'first')
    await place.until('the first batch comes', () => follower.batchesCount === 1)
    await place.appendAll(a, idsOf('more', 50))
    await place.rest()
    assertEqual(follower.batchesCount, 1, 'batches while the reader is at the first one')
    gate.open()
    await place.append(a, 'last')
    await place.until('the rest comes', () => follower.has('last'))
    assertEqual(follower.ids, ['first', ...idsOf('more', 50), 'last'].join(' '), 'all records')
  },

  'a reader that takes its time holds up nobody else': async (place) => {
    const [a, b, c] = await place.three()
    const gate = new Gate()
    const slow = place.follow(b, undefined, { records: () => gate.passed() })
    const quick = place.follow(c)
    await place.appendAll(a, idsOf('record', 30))
    await place.until('another one is handed all', () => quick.has('record-29'))
    assert(slow.batchesCount <= 1, 'the slow one is at its first batch')
    gate.open()
    await place.until('the slow one is handed all', () => slow.has('record-29'))
  },

  'thousands of records come, all of them, in order': async (place) => {
    const [a, b] = await place.three()
    const ids = idsOf('record', MANY)
    const follower = place.follow(b)
    for (let from = 0; from < MANY; from += 250) await place.appendAtOnce(a, ids.slice(from, from + 250))
    const late = place.follow(await place.open())
    for (const one of [follower, late]) {
      await place.until('all come', () => one.idsCount >= MANY)
      assertEqual(one.ids.split(' ').sort().join(' '), [...ids].sort().join(' '), 'the records')
    }
    const offsets = (of: typeof late): string => of.records.map(({ offset }) => offset).join(' ')
    assertEqual(offsets(late).startsWith(offsets(follower)), true, 'the same places for everybody')
  },

  'a reader that has stopped is called no more, and another one goes on where it was': async (place) => {
    const [a, b] = await place.three()
    const one = place.follow(b)
    await place.appendAll(a, ['one', 'two'])
    await place.until('both come', () => one.has('two'))
    one.stop()
    await place.appendAll(a, ['three', 'four'])
    const two = place.follow(b, one.last)
    await place.until('the rest comes', () => two.has('four'))
    assertEqual(one.ids, 'one two', 'what the first one was handed')
    assertEqual(two.ids.replace('two ', ''), 'three four', 'what the second one was handed')
  },

  'a reader that stops within a batch is called no more': async (place) => {
    const [a, b] = await place.three()
    const gate = new Gate()
    const atOnce = place.follow(a, undefined, { records: () => atOnce.stop() })
    const slow = place.follow(b, undefined, { records: () => gate.passed() })
    await place.append(a, 'one')
    await place.until('the first batches come', () => atOnce.batchesCount === 1 && slow.batchesCount === 1)
    await place.appendAll(a, ['two', 'three'])
    slow.stop()
    gate.open()
    await place.append(a, 'four')
    await place.rest()
    assertEqual(atOnce.batchesCount, 1, 'batches after stopping from within')
    assertEqual(slow.batchesCount, 1, 'batches after stopping while more waits')
  },

  'a partition has one reader of a link at a time': async (place) => {
    const a = await place.open()
    const first = place.follow(a)
    try {
      place.follow(a)
      throw new Error('a second reader was taken')
    } catch (error) {
      assertCode(error, 'WARP_E_CONFIG', 'the error of a second reader')
    }
    first.stop()
    await place.append(a, 'one')
    const second = place.follow(a)
    await place.until('the one after it is handed records', () => second.has('one'))
  },
}

/** Holds up everybody until it is opened. */
class Gate {
  #open: (() => void) | undefined
  #isOpen = false
  readonly #opened = new Promise<void>((resolve) => (this.#open = resolve))

  passed(): Promise<void> | void {
    if (!this.#isOpen) return this.#opened
  }

  open(): void {
    this.#isOpen = true
    this.#open?.()
  }
}
