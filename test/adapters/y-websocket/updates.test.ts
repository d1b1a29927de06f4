/** Updates are judged, and cut into parts, without a document: whatever editors write, the parts are the whole. */
import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { decoded1, judge } from '../../../adapters/y-websocket/updates/judge.ts'
import { partsOf } from '../../../adapters/y-websocket/updates/parts.ts'
import { SEED } from '../../../property-tests/seed.ts'
import { seededRandom, type Random } from '../../../testing/world/random.ts'

const NOTHING = (): number => 0

function parts(update: Uint8Array, partBytesMax: number, known: (client: number) => number = NOTHING): Uint8Array[] {
  return [...partsOf(decoded1(update), known, partBytesMax)].filter((part) => part !== undefined)
}

/** Three editors that write all kinds of things and hear of each other now and then. */
function written(random: Random): Y.Doc {
  const docs = [1, 2, 3].map((clientId) => {
    const doc = new Y.Doc({ gc: random.below(2) === 0 })
    doc.clientID = clientId
    return doc
  })
  for (let i = 0; i < 120; i++) {
    const doc = docs[random.below(3)]!
    const [text, map, list] = [doc.getText('t'), doc.getMap<unknown>('m'), doc.getArray<unknown>('a')]
    const kind = random.below(6)
    if (kind === 0) text.insert(random.below(text.length + 1), '🙂é'.repeat(1 + random.below(200)))
    else if (kind === 1 && text.length > 4) text.delete(random.below(text.length - 4), 1 + random.below(4))
    else if (kind === 2) map.set(`k${random.below(9)}`, { n: i, s: 'x'.repeat(random.below(40)) })
    else if (kind === 3) list.insert(0, [new Y.Map([['deep', i]]), i])
    else if (kind === 4 && text.length > 2) text.format(0, 2, { bold: i % 2 === 0 ? true : null })
    else Y.applyUpdate(docs[random.below(3)]!, Y.encodeStateAsUpdate(doc))
  }
  for (const doc of docs) Y.applyUpdate(docs[0]!, Y.encodeStateAsUpdate(doc))
  return docs[0]!
}

test.each([SEED])('parts fit, need nothing that comes later, and are the whole (seed %s)', (seed) => {
  const random = seededRandom(seed)
  for (let round = 0; round < 20; round++) {
    const whole = Y.encodeStateAsUpdate(written(random))
    const into = new Y.Doc()
    for (const part of parts(whole, 600)) {
      expect(part.length).toBeLessThanOrEqual(600)
      expect(judge(part, (client) => Y.getState(into.store, client)).kind).toBe('fine')
      Y.applyUpdate(into, part)
      expect([into.store.pendingStructs, into.store.pendingDs]).toEqual([null, null])
    }
    expect(Buffer.from(Y.encodeStateAsUpdate(into)).equals(Buffer.from(Y.encodeStateAsUpdate(reread(whole))))).toBe(
      true,
    )
  }
})

/** Yjs writes what it has read a little differently from what it has made: runs are joined. */
function reread(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc
}

test.each([SEED])('an update is early exactly where a document would have to wait (seed %s)', (seed) => {
  const random = seededRandom(seed)
  const counts = { early: 0, fine: 0 }
  for (let round = 0; round < 10; round++) {
    const source = written(random)
    const all = parts(Y.encodeStateAsUpdate(source), 400)
    const into = new Y.Doc()
    for (let i = 0; i < all.length; i++) {
      const part = all[random.below(all.length)]!
      const { kind } = judge(part, (client) => Y.getState(into.store, client))
      counts[kind]++
      const tried = new Y.Doc()
      Y.applyUpdate(tried, Y.encodeStateAsUpdate(into))
      Y.applyUpdate(tried, part)
      expect(tried.store.pendingStructs === null && tried.store.pendingDs === null).toBe(kind === 'fine')
      if (kind === 'fine') Y.applyUpdate(into, part)
    }
  }
  expect(Math.min(counts.early, counts.fine)).toBeGreaterThan(5)
})

test('characters of two units stay whole where a text is cut', () => {
  for (const shift of ['', 'x']) {
    const doc = new Y.Doc()
    doc.getText('t').insert(0, shift + '🙂'.repeat(2000))
    const into = new Y.Doc()
    const cut = parts(Y.encodeStateAsUpdate(doc), 1000)
    for (const part of cut) Y.applyUpdate(into, part)
    expect(cut.length).toBeGreaterThan(8)
    expect(into.getText('t').toJSON()).toBe(doc.getText('t').toJSON())
  }
})

test('what is known already is left out, and what cannot be cut is refused with its length', () => {
  const doc = new Y.Doc()
  doc.clientID = 7
  doc.getText('t').insert(0, 'ab')
  doc.getText('t').insert(0, 'cd')
  const update = Y.encodeStateAsUpdate(doc)
  expect(judge(update, () => 4)).toEqual({ kind: 'fine', isNew: false })
  expect(judge(update, () => 3)).toEqual({ kind: 'fine', isNew: true })
  expect(parts(update, 1000, () => 4)).toEqual([Uint8Array.of(0, 0)])
  const picture = new Y.Doc()
  picture.getMap('m').set('picture', new Uint8Array(5000))
  expect(() => parts(Y.encodeStateAsUpdate(picture), 1000)).toThrow(
    expect.objectContaining({ code: 'WARP_E_LIMIT', details: { length: expect.any(Number) as number, limit: 1000 } }),
  )
})
