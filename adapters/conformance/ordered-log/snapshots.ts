/** Snapshots: whole or not at all, and the one that reaches further. */
import type { Bookmark, OrderedSnapshot } from '../../../src/ports/ordered-log.ts'
import { assert, assertBytes, assertEqual } from '../assert.ts'
import { bytesOf, type Check, idsOf, type Member, pattern, type Place } from './place.ts'

export const SNAPSHOTS: Readonly<Record<string, Check>> = {
  'there is no snapshot at first': async (place) => {
    const a = await place.open()
    await hasNoSnapshot(place, a, 0)
    await place.append(a, 'one')
    await hasNoSnapshot(place, a, 0)
  },

  'a snapshot comes back byte for byte, however it was cut': async (place) => {
    const [a, b] = await place.three()
    const bookmarks = await place.appendAll(a, idsOf('record', 4))
    const whole = pattern(300_000, 5)
    const cuts = [[], [whole], [whole.subarray(0, 1), whole.subarray(1)], pieces(whole, 1000), pieces(whole, 70_001)]
    const states = [new Uint8Array(), whole, whole, whole, whole]
    for (const [index, cut] of cuts.entries()) {
      await save(place, a, bookmarks[Math.min(index, 3)]!, [...cut, new Uint8Array()])
      await holds(place, b, bookmarks[Math.min(index, 3)]!, states[index]!)
    }
  },

  'what is done to a piece afterwards is not seen': async (place) => {
    const [a, b] = await place.three()
    const one = await place.append(a, 'one')
    const piece = pattern(5000, 4)
    async function* reused(): AsyncGenerator<Uint8Array> {
      yield piece
      piece.fill(0)
    }
    await place.answer(a.link.saveSnapshot(0, { bookmark: one, pieces: reused() }), 'saving')
    await holds(place, b, one, pattern(5000, 4))
  },

  'a snapshot of several mebibytes comes back': async (place) => {
    const [a, b] = await place.three()
    const one = await place.append(a, 'one')
    const state = pattern(5 * 1024 * 1024 + 17, 3)
    await save(place, a, one, pieces(state, 65_536))
    await holds(place, b, one, state)
  },

  'a snapshot is of its partition': async (place) => {
    const a = await place.open()
    const last = a.link.partitionsCount - 1
    if (last === 0) return
    const one = await place.append(a, 'one', bytesOf('one'), last)
    await save(place, a, { ...one, partition: last }, [bytesOf('state')])
    await holds(place, a, { ...one, partition: last }, bytesOf('state'))
    await hasNoSnapshot(place, a, 0)
  },

  'a snapshot outlives the link that saved it': async (place) => {
    const [a, b] = await place.three()
    const one = await place.append(a, 'one')
    await save(place, a, one, [bytesOf('state')])
    await place.answer(a.link.close(), 'closing')
    await holds(place, b, one, bytesOf('state'))
    await holds(place, await place.open(), one, bytesOf('state'))
  },

  'a snapshot that is not complete is not seen, and the former one is': async (place) => {
    const [a, b] = await place.three()
    const [one, two] = (await place.appendAll(a, ['one', 'two'])) as [Bookmark, Bookmark]
    await save(place, a, one, [bytesOf('first')])
    const slow = new SlowPieces()
    const saving = begun(a.link.saveSnapshot(0, { bookmark: two, pieces: slow.pieces() }))
    slow.give(bytesOf('sec'))
    await place.rest()
    await holds(place, b, one, bytesOf('first'))
    slow.give(bytesOf('ond'))
    slow.end()
    await place.answer(saving, 'saving')
    await holds(place, b, two, bytesOf('second'))
  },

  'a snapshot whose pieces fail leaves the former one, and says why': async (place) => {
    const [a, b] = await place.three()
    const [one, two] = (await place.appendAll(a, ['one', 'two'])) as [Bookmark, Bookmark]
    await save(place, a, one, [bytesOf('first')])
    const reason = new Error('the state cannot be read')
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield bytesOf('sec')
      throw reason
    }
    const saved = await place.settled(a.link.saveSnapshot(0, { bookmark: two, pieces: failing() }), 'saving')
    assert(saved.kind === 'rejected' && saved.error === reason, 'saving rejects with what the pieces reject with')
    await holds(place, b, one, bytesOf('first'))
    await save(place, b, two, [bytesOf('second')])
    await holds(place, a, two, bytesOf('second'))
  },

  'of two snapshots the one that reaches further stays, whichever comes first': async (place) => {
    const [a, b] = await place.three()
    const [one, two, three] = (await place.appendAll(a, ['one', 'two', 'three'])) as [Bookmark, Bookmark, Bookmark]
    await save(place, a, two, [bytesOf('two')])
    await save(place, b, one, [bytesOf('one')])
    await holds(place, a, two, bytesOf('two'))
    await save(place, b, three, [bytesOf('three')])
    await holds(place, a, three, bytesOf('three'))
  },

  'of two that are saved at the same time the one that reaches further stays': async (place) => {
    const [a, b] = await place.three()
    const [one, two] = (await place.appendAll(a, ['one', 'two'])) as [Bookmark, Bookmark]
    const slow = new SlowPieces()
    const saving = begun(a.link.saveSnapshot(0, { bookmark: one, pieces: slow.pieces() }))
    slow.give(bytesOf('o'))
    await place.rest()
    await save(place, b, two, [bytesOf('two')])
    slow.give(bytesOf('ne'))
    slow.end()
    await place.answer(saving, 'saving the one that reaches less far')
    await holds(place, a, two, bytesOf('two'))
  },

  'a snapshot of records that are not there is refused': async (place) => {
    const a = await place.open()
    const [one, two] = (await place.appendAll(a, ['one', 'two'])) as [Bookmark, Bookmark]
    await save(place, a, one, [bytesOf('first')])
    for (const bookmark of [
      { offset: two.offset + 100, id: 'two' },
      { offset: two.offset, id: 'another' },
    ]) {
      const saving = a.link.saveSnapshot(0, { bookmark, pieces: given([bytesOf('foreign')]) })
      await place.rejects(saving, 'WARP_E_ORDER_BROKEN', `a snapshot up to ${bookmark.offset}, ${bookmark.id}`)
    }
    await holds(place, a, one, bytesOf('first'))
  },
}

/** A record of a partition, 0 unless it is said. */
interface At extends Bookmark {
  readonly partition?: number
}

export async function save(place: Place, { link }: Member, at: At, cut: readonly Uint8Array[]): Promise<void> {
  const { offset, id, partition = 0 } = at
  const saving = link.saveSnapshot(partition, { bookmark: { offset, id }, pieces: given(cut) })
  await place.answer(saving, 'saving a snapshot')
}

async function holds(place: Place, { link }: Member, at: At, state: Uint8Array): Promise<void> {
  const { partition = 0, ...bookmark } = at
  const snapshot = await place.answer(link.loadSnapshot(partition), 'loading a snapshot')
  assert(snapshot !== undefined, 'there is a snapshot')
  assertEqual(snapshot.bookmark.offset, bookmark.offset, 'the record to which it reaches')
  assertEqual(snapshot.bookmark.id, bookmark.id, 'the id of the record to which it reaches')
  assertBytes(await place.answer(whole(snapshot), 'reading a snapshot'), state)
}

export async function hasNoSnapshot(place: Place, { link }: Member, partition: number): Promise<void> {
  const snapshot = await place.answer(link.loadSnapshot(partition), 'loading a snapshot')
  assert(snapshot === undefined, `partition ${partition} has a snapshot`)
}

async function whole({ pieces }: OrderedSnapshot): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of all) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

function pieces(whole: Uint8Array, length: number): Uint8Array[] {
  const count = Math.ceil(whole.length / length)
  return Array.from({ length: count }, (_, index) => whole.subarray(index * length, (index + 1) * length))
}

export async function* given(cut: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* cut
}

/** May reject before anybody waits for it: where a check fails, nobody does. */
export function begun<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined)
  return promise
}

/** Pieces that come when the check says so. */
export class SlowPieces {
  readonly #ready: (Uint8Array | undefined)[] = []
  #wake: (() => void) | undefined

  give(piece: Uint8Array): void {
    this.#push(piece)
  }

  end(): void {
    this.#push(undefined)
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      while (this.#ready.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
      const piece = this.#ready.shift()
      if (piece === undefined) return
      yield piece
    }
  }

  #push(piece: Uint8Array | undefined): void {
    this.#ready.push(piece)
    this.#wake?.()
  }
}
