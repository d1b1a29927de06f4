/** Trims: never beyond the snapshot, and told to whoever comes late. */
import type { Bookmark } from '../../../src/ports/ordered-log.ts'
import { assert, assertEqual } from '../assert.ts'
import { bytesOf, type Check, idsOf, type Member, type Place } from './place.ts'
import { save } from './snapshots.ts'

export const TRIMS: Readonly<Record<string, Check>> = {
  'nothing is trimmed without a snapshot': async (place) => {
    const a = await place.open()
    const [, two] = (await place.appendAll(a, ['one', 'two', 'three'])) as [Bookmark, Bookmark, Bookmark]
    await place.rejects(a.link.trim(0, two.offset), 'WARP_E_CONFIG', 'a trim without a snapshot')
    await isWhole(place, a, 'one two three')
  },

  'nothing is trimmed beyond the record behind the snapshot': async (place) => {
    const a = await place.open()
    const [, two] = await place.appendAll(a, ['one', 'two', 'three', 'four'])
    await save(place, a, two!, [bytesOf('state')])
    for (const beyond of [two!.offset + 2, two!.offset + 100])
      await place.rejects(a.link.trim(0, beyond), 'WARP_E_CONFIG', 'a trim beyond the snapshot')
    await isWhole(place, a, 'one two three four')
    await place.answer(a.link.trim(0, two!.offset + 1), 'a trim up to the snapshot')
  },

  'who comes late is told so, and goes on from the snapshot': async (place) => {
    const [a, b] = await place.three()
    const bookmarks = await place.appendAll(a, idsOf('record', 6))
    await save(place, a, bookmarks[3]!, [bytesOf('state')])
    await place.answer(a.link.trim(0, bookmarks[3]!.offset + 1), 'a trim')
    for (const after of [undefined, bookmarks[0], bookmarks[2]]) {
      const late = place.follow(b, after)
      await place.until('the late one is told', () => late.trimmed !== undefined)
      const first = late.trimmed ?? 0
      assert(
        first > bookmarks[3]!.offset,
        `everything before ${first} is gone, and ${bookmarks[3]!.offset} was trimmed`,
      )
      assert(
        first <= bookmarks[4]!.offset,
        `record ${bookmarks[4]!.offset} is there, and ${first} is named as the first`,
      )
      await place.append(a, `after-${after?.offset ?? 0}`)
      await place.rest()
      assertEqual(late.records.length, 0, 'records handed to who comes late')
    }
    const snapshot = await place.answer(b.link.loadSnapshot(0), 'loading the snapshot')
    assert(snapshot !== undefined, 'the snapshot is there')
    const follower = place.follow(b, snapshot.bookmark)
    await place.until('what lies behind comes', () => follower.has(`after-${bookmarks[2]!.offset}`))
    assert(follower.ids.startsWith('record-4 record-5 '), `the records behind the snapshot: ${follower.ids}`)
  },

  'who is at the last record that was trimmed misses nothing': async (place) => {
    const [a, b] = await place.three()
    const reader = place.follow(a)
    const [, two] = (await place.appendAll(a, ['one', 'two'])) as [Bookmark, Bookmark]
    await place.until('the reader is at the last record', () => reader.has('two'))
    await save(place, a, two, [bytesOf('state')])
    await place.answer(a.link.trim(0, two.offset + 1), 'a trim of everything')
    const follower = place.follow(b, two)
    await place.append(a, 'three')
    for (const one of [reader, follower]) await place.until('the next record comes', () => one.has('three'))
    assertEqual(follower.ids, 'three', 'the records of who was at the last one')
  },

  'a slow reader that is overtaken is handed everything, or told': async (place) => {
    const [a, b] = await place.three()
    let release: (() => void) | undefined
    const first = new Promise<void>((resolve) => (release = resolve))
    const slow = place.follow(b, undefined, { records: () => (slow.batchesCount === 1 ? first : undefined) })
    await place.append(a, 'first')
    await place.until('the first batch comes', () => slow.batchesCount === 1)
    const bookmarks = await place.appendAll(a, idsOf('record', 40))
    await save(place, a, bookmarks[29]!, [bytesOf('state')])
    await place.answer(a.link.trim(0, bookmarks[29]!.offset + 1), 'a trim')
    release?.()
    await place.until('it is handed everything, or told', () => slow.has('record-39') || slow.trimmed !== undefined)
    const expected = ['first', ...idsOf('record', 40)].slice(0, new Set(slow.ids.split(' ')).size)
    assertEqual(slow.ids, expected.join(' '), 'records without omission')
    await place.rest()
  },

  'a trim of what is gone is harmless': async (place) => {
    const a = await place.open()
    const bookmarks = await place.appendAll(a, idsOf('record', 4))
    await save(place, a, bookmarks[2]!, [bytesOf('state')])
    for (const index of [2, 2, 0])
      await place.answer(a.link.trim(0, bookmarks[index]!.offset), `a trim before ${index}`)
    const follower = place.follow(a, bookmarks[2])
    await place.until('the rest is there', () => follower.has('record-3'))
    const next = await place.append(a, 'next')
    assert(next.offset > bookmarks[3]!.offset, 'places rise across a trim')
  },

  'a trim is of its partition': async (place) => {
    const a = await place.open()
    const last = a.link.partitionsCount - 1
    if (last === 0) return
    await place.appendAll(a, ['one', 'two'])
    const bookmarks = await place.appendAll(a, ['one', 'two'], last)
    await save(place, a, { ...bookmarks[1]!, partition: last }, [bytesOf('state')])
    await place.answer(a.link.trim(last, bookmarks[1]!.offset + 1), 'a trim')
    await isWhole(place, a, 'one two')
  },
}

/** A new reader is handed all records of partition 0. */
async function isWhole(place: Place, member: Member, ids: string): Promise<void> {
  const follower = place.follow(member)
  await place.until(`all records are there: ${ids}`, () => follower.ids === ids)
  follower.stop()
}
