/** Logs that are not what they were, and connections that are lost: told, and never passed over. */
import type { Bookmark } from '../../../src/ports/ordered-log.ts'
import { assert, assertEqual } from '../assert.ts'
import type { Follower } from './follower.ts'
import { bytesOf, type Check, idsOf, type Member, type Place } from './place.ts'
import { hasNoSnapshot, save } from './snapshots.ts'

export const BROKEN: Readonly<Record<string, Check>> = {
  'a bookmark of another log is told to be broken': async (place) => {
    const [a, b] = await place.three()
    const [, two, three] = (await place.appendAll(a, ['one', 'two', 'three'])) as [Bookmark, Bookmark, Bookmark]
    const foreign: Bookmark[] = [
      { offset: two.offset, id: 'another' },
      { offset: three.offset, id: 'another' },
      { offset: three.offset + 1000, id: 'three' },
    ]
    for (const after of foreign) {
      const follower = place.follow(b, after)
      await place.append(a, `behind-${after.offset}-${after.id}`)
      await isBroken(place, follower)
    }
    const follower = place.follow(b)
    await place.until('the partition can be followed again', () => follower.has('three'))
  },

  'a bookmark of another log says nothing of what this one holds': async (place) => {
    const [a] = await place.three()
    const [one] = (await place.appendAll(a, ['one', 'two', 'three'])) as [Bookmark]
    const b = await place.open()
    for (const after of [
      { offset: one.offset + 1_000_000, id: 'another' },
      { ...one, id: 'another' },
    ]) {
      const follower = place.follow(b, after)
      // At once, before the reader has been told, and afterwards: what has a place is acknowledged.
      await place.append(b, `beside-${after.offset}`)
      await isBroken(place, follower)
      await place.append(b, `behind-${after.offset}`)
    }
    const follower = place.follow(b)
    await place.until('the partition can be followed again', () => follower.has(`behind-${one.offset}`))
  },

  'two logs have two identities': async (place) => {
    const { recreate } = place.subject.operator ?? {}
    if (recreate === undefined) return
    const identities = new Set<string>()
    for (let round = 0; round < 3; round++) {
      identities.add((await place.open()).link.identity)
      await recreate()
    }
    assertEqual(identities.size, 3, 'identities of three logs')
  },
}

export const OPERATORS: Readonly<Record<string, Check>> = {
  'a log that was made anew is told within one record, and begins empty': async (place) => {
    const { recreate } = place.subject.operator ?? {}
    if (recreate === undefined) return
    const { a, follower, bookmarks } = await started(place)
    await save(place, a, bookmarks[1]!, [bytesOf('state')])
    await recreate()
    const later = await place.open()
    await place.append(later, 'new')
    await isBroken(place, follower)
    await place.refusesBarrier(a, 'a barrier of a link from before')
    await hasNoSnapshot(place, later, 0)
    const fresh = place.follow(later)
    await place.until('the new log has its record', () => fresh.ids === 'new')
  },

  'a new log as long as the former one is told apart': async (place) => {
    const { recreate } = place.subject.operator ?? {}
    if (recreate === undefined) return
    const { follower, bookmarks } = await started(place)
    await recreate()
    const later = await place.open()
    await place.appendAll(later, idsOf('other', bookmarks.length + 1))
    await isBroken(place, follower)
    const returning = place.follow(later, bookmarks.at(-1))
    await isBroken(place, returning)
  },

  'a purge beyond the snapshot is told to whoever misses something, at once': async (place) => {
    const { purge } = place.subject.operator ?? {}
    if (purge === undefined) return
    const { a, b, follower, bookmarks } = await started(place)
    await save(place, a, bookmarks[1]!, [bytesOf('state')])
    await purge(0)
    await place.append(b, 'new')
    // Who has had everything may go on, and may as well be told.
    await place.until('the reader goes on, or is told', () => follower.has('new') || follower.broken !== undefined)
    for (const after of [undefined, bookmarks[0]]) await isBroken(place, place.follow(await place.open(), after))
  },

  'a log that was rolled back is told within one record': async (place) => {
    const { rollBack } = place.subject.operator ?? {}
    if (rollBack === undefined) return
    const { a, follower, bookmarks } = await started(place)
    await rollBack(0, bookmarks[1]!.offset)
    // A link that has appended more may refuse, because it knows better.
    await place.append(await place.open(), 'new')
    await isBroken(place, follower)
    await place.refusesBarrier(a, 'a barrier of a link that has seen more')
    const whoHasLess = place.follow(await place.open(), bookmarks[0])
    await place.until('who has seen less goes on', () => whoHasLess.has('new'))
    assert(whoHasLess.broken === undefined, 'who has seen less is not told of anything')
  },

  'a log that was rolled back and has grown again is told': async (place) => {
    const { rollBack } = place.subject.operator ?? {}
    if (rollBack === undefined) return
    const { a, follower, bookmarks } = await started(place)
    await rollBack(0, bookmarks[1]!.offset)
    await place.appendAll(await place.open(), idsOf('other', 10))
    await isBroken(place, follower)
    await place.refusesBarrier(a, 'a barrier of a link that has seen other records')
    await isBroken(place, place.follow(await place.open(), bookmarks.at(-1)))
  },
}

export const CONNECTIONS: Readonly<Record<string, Check>> = {
  'a lost connection is told, nothing is appended meanwhile, and the reader goes on': async (place) => {
    const { disconnect, reconnect } = place.subject.operator ?? {}
    if (disconnect === undefined || reconnect === undefined) return
    const [a, b] = await place.three()
    const follower = place.follow(b)
    await place.append(a, 'before')
    await place.until('the record comes', () => follower.has('before'))
    await disconnect()
    await place.until('both are told', () => [a, b].every(({ connections }) => connections.at(-1) === false))
    await place.refuses(a.link.append(0, 'away', bytesOf('x')), 'WARP_E_TRANSPORT', 'an append without a connection')
    await place.rejects(a.link.barrier(0), 'WARP_E_TRANSPORT', 'a barrier without a connection')
    await reconnect()
    await place.until('both are told', () => [a, b].every(({ connections }) => connections.at(-1) === true))
    await place.append(a, 'after')
    await place.until('the reader goes on', () => follower.has('after'))
    assertEqual(follower.ids, 'before after', 'the records')
    assert((await place.barrier(b)) > 0, 'barriers are answered again')
  },

  'what waits when a connection is lost is answered': async (place) => {
    const { disconnect, reconnect } = place.subject.operator ?? {}
    if (disconnect === undefined || reconnect === undefined) return
    const [a, b] = await place.three()
    const follower = place.follow(b)
    const appends = idsOf('record', 20).map((id) => a.link.append(0, id, bytesOf(id)))
    await disconnect()
    const kinds: string[] = []
    for (const append of appends) kinds.push((await place.answer(append, 'an append under way')).kind)
    await reconnect()
    await place.rest()
    await place.until('the links are there again', () =>
      [a, b].every(({ connections }) => connections.at(-1) !== false),
    )
    await place.append(a, 'last')
    await place.until('the last record comes', () => follower.has('last'))
    for (const [index, kind] of kinds.entries()) {
      const isThere = follower.has(`record-${index}`)
      if (kind === 'appended') assert(isThere, `record-${index} was appended, and is there`)
      if (kind === 'refused') assert(!isThere, `record-${index} was refused, and is not there`)
    }
  },
}

/** Two links, and a reader of one that has been handed five records of the other. */
async function started(
  place: Place,
): Promise<{ readonly a: Member; readonly b: Member; readonly follower: Follower; readonly bookmarks: Bookmark[] }> {
  const [a, b] = await place.three()
  const follower = place.follow(a)
  const bookmarks = await place.appendAll(b, idsOf('record', 5))
  await place.until('the records come', () => follower.has('record-4'))
  return { a, b, follower, bookmarks }
}

/** Told, without being handed anything more. */
async function isBroken(place: Place, follower: Follower): Promise<void> {
  const { records } = follower
  const before = records.length
  await place.until('the reader is told', () => follower.broken !== undefined)
  assertEqual(follower.broken?.code, 'WARP_E_ORDER_BROKEN', 'the error')
  assertEqual(records.length, before, 'records that were handed over')
  await place.rest()
}
