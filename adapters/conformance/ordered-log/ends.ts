/** Requests that are given up, and links that close: everything is answered, once. */
import type { OrderedLogLink } from '../../../src/ports/ordered-log.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { assert, assertEqual } from '../assert.ts'
import { assertCode } from './order.ts'
import { bytesOf, type Check, idsOf, type Member, type Place } from './place.ts'
import { begun, given, save, SlowPieces } from './snapshots.ts'

export const GIVING_UP: Readonly<Record<string, Check>> = {
  'an append whose signal has fired is refused, and leaves no record': async (place) => {
    const [a, b] = await place.three()
    const signal = AbortSignal.abort()
    await place.refuses(a.link.append(0, 'given-up', bytesOf('x'), signal), 'WARP_E_ABORTED', 'an append')
    await hasOnly(place, b, ['last'])
  },

  'an append that is given up under way is answered, and leaves no record if it was refused': async (place) => {
    const [a, b] = await place.three()
    const controller = new AbortController()
    const appends = idsOf('record', 5).map((id) => ({
      id,
      outcome: a.link.append(0, id, bytesOf(id), controller.signal),
    }))
    controller.abort()
    const given: string[] = []
    for (const { id, outcome } of appends) {
      const { kind, ...rest } = await place.answer(outcome, 'an append that is given up')
      if (kind === 'refused') given.push(id)
      if ('error' in rest) assert(isWarpError(rest.error, 'WARP_E_ABORTED'), `given up with ${String(rest.error)}`)
    }
    await lacks(place, b, given)
  },

  'a signal that never fires changes nothing': async (place) => {
    const a = await place.open()
    const { signal } = new AbortController()
    const outcome = await place.answer(a.link.append(0, 'one', bytesOf('one'), signal), 'an append')
    assert(outcome.kind !== 'refused', 'the append is not refused')
    assert((await place.settled(a.link.barrier(0, signal), 'a barrier')).kind !== undefined, 'a barrier is answered')
  },

  'a barrier whose signal has fired rejects': async (place) => {
    const a = await place.open()
    await place.rejects(a.link.barrier(0, AbortSignal.abort()), 'WARP_E_ABORTED', 'a barrier')
  },

  'a barrier that is given up under way is answered': async (place) => {
    const a = await place.open()
    const controller = new AbortController()
    const barrier = a.link.barrier(0, controller.signal)
    controller.abort()
    const settled = await place.settled(barrier, 'a barrier that is given up')
    if (settled.kind === 'rejected') assertCode(settled.error, 'WARP_E_ABORTED', 'a barrier that is given up')
  },
}

export const CLOSING: Readonly<Record<string, Check>> = {
  'closing answers everything that waits': async (place) => {
    const [a, b] = await place.three()
    const { offset, id } = await place.append(a, 'one')
    const slow = new SlowPieces()
    const outcomes = idsOf('record', 20).map((id) => ({ id, outcome: a.link.append(0, id, bytesOf(id)) }))
    const others: Promise<unknown>[] = [
      begun(a.link.barrier(0)),
      begun(a.link.saveSnapshot(0, { bookmark: { offset, id }, pieces: slow.pieces() })),
      begun(a.link.loadSnapshot(0)),
    ]
    await place.answer(a.link.close(), 'closing')
    const refused: string[] = []
    for (const { id, outcome } of outcomes) {
      const { kind, ...rest } = await place.answer(outcome, 'an append')
      if (kind === 'refused') refused.push(id)
      if ('error' in rest) assert(isWarpError(rest.error, 'WARP_E_CLOSED'), `closed with ${String(rest.error)}`)
    }
    for (const other of others) {
      const settled = await place.settled(other, 'a request of a link that closes')
      if (settled.kind === 'rejected') assertCode(settled.error, 'WARP_E_CLOSED', 'a request of a link that closes')
    }
    await lacks(place, b, refused)
  },

  'a closed link refuses everything, and closes again without harm': async (place) => {
    const [a, b] = await place.three()
    const one = await place.append(a, 'one')
    await Promise.all([place.answer(a.link.close(), 'closing'), place.answer(a.link.close(), 'closing at once')])
    await place.answer(a.link.close(), 'closing again')
    await place.refuses(a.link.append(0, 'late', bytesOf('x')), 'WARP_E_CLOSED', 'an append')
    await place.rejects(a.link.barrier(0), 'WARP_E_CLOSED', 'a barrier')
    await place.rejects(a.link.loadSnapshot(0), 'WARP_E_CLOSED', 'loading a snapshot')
    const saving = a.link.saveSnapshot(0, { bookmark: one, pieces: given([]) })
    await place.rejects(saving, 'WARP_E_CLOSED', 'saving a snapshot')
    await place.rejects(a.link.trim(0, 1), 'WARP_E_CLOSED', 'a trim')
    assertCode(thrownBy(a.link), 'WARP_E_CLOSED', 'following')
    await hasOnly(place, b, ['one', 'last'])
  },

  'closing ends the readers, also one that is at a batch': async (place) => {
    const [a, b] = await place.three()
    const idle = place.follow(a)
    const busy = place.follow(b, undefined, { records: () => new Promise(() => undefined) })
    await place.append(a, 'one')
    await place.until('the record comes', () => idle.has('one') && busy.has('one'))
    const [batches, ofBusy] = [idle.batchesCount, busy.batchesCount]
    for (const { link } of [a, b]) await place.answer(link.close(), 'closing')
    await place.appendAll(await place.open(), ['two', 'three'])
    await place.rest()
    assertEqual(idle.batchesCount, batches, 'batches after closing')
    assertEqual(busy.batchesCount, ofBusy, 'batches of the one that is at a batch')
  },

  'what was acknowledged outlives all links': async (place) => {
    const members = await place.three()
    for (const [index, member] of members.entries()) await place.append(member, `record-${index}`)
    const one = (await place.appendAll(members[0], ['one']))[0]!
    await save(place, members[0], one, [bytesOf('state')])
    for (const { link } of members) await place.answer(link.close(), 'closing')
    const later = await place.open()
    const follower = place.follow(later)
    await place.until('all records are there', () => follower.ids === 'record-0 record-1 record-2 one')
    assertEqual((await place.answer(later.link.loadSnapshot(0), 'loading'))?.bookmark.id, 'one', 'the snapshot')
  },

  'a link that closes ends no other one': async (place) => {
    const [a, b] = await place.three()
    const follower = place.follow(b)
    await place.append(a, 'one')
    await place.answer(a.link.close(), 'closing')
    await place.append(b, 'two')
    await place.until('the others go on', () => follower.ids === 'one two')
  },
}

function thrownBy(link: OrderedLogLink): unknown {
  const silent = { records: () => undefined, trimmed: () => undefined, broken: () => undefined }
  try {
    link.follow(0, undefined, silent)
    return undefined
  } catch (error) {
    return error
  }
}

/** Once `last` is there, no record of these is. */
async function lacks(place: Place, member: Member, ids: readonly string[]): Promise<void> {
  const follower = place.follow(member)
  await place.rest()
  await place.append(member, 'last')
  await place.until('the last record comes', () => follower.has('last'))
  for (const id of ids) assert(!follower.has(id), `${id} was refused, and is there`)
}

async function hasOnly(place: Place, member: Member, ids: readonly string[]): Promise<void> {
  const follower = place.follow(member)
  await place.rest()
  await place.append(member, 'last')
  await place.until('the last record comes', () => follower.has('last'))
  assertEqual(follower.ids, ids.join(' '), 'the records')
}
