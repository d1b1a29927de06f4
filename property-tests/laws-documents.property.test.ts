/** The laws of sequences and of Yjs documents. */
import * as Y from 'yjs'
import fc from 'fast-check'
import { test } from 'vitest'
import type { Encodable } from '../crdt/encoding/encodable.ts'
import type { CheckStrategyOptions } from '../testing/check-strategy.ts'
import type { VerbCall } from '../testing/laws/law-operation.ts'
import type { ReferenceReplica } from '../testing/laws/reference-replica.ts'
import { checkLaws } from './check-laws.ts'
import { fugueElements } from './fugue-oracle.ts'
import { list } from '../crdt/sequence/list.ts'
import { text } from '../crdt/sequence/text.ts'
import { yjs } from '../crdt/documents/yjs.ts'

const fraction = fc.integer({ min: 0, max: 8 })
const few = fc.integer({ min: 0, max: 3 })

/** Index and count as eighths of the length, which `inRange` fits to the replica that writes. */
function edits(inserted: fc.Arbitrary<readonly unknown[]>): fc.Arbitrary<VerbCall> {
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(fraction, inserted).map(([at, x]) => ({ verb: 'insert', parameters: [at, ...x] })),
    },
    { weight: 1, arbitrary: inserted.map((x) => ({ verb: 'push', parameters: x })) },
    {
      weight: 2,
      arbitrary: fc.tuple(fraction, few).map(([at, count]) => ({ verb: 'remove', parameters: [at, count] })),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(fraction, few, inserted).map(([at, n, x]) => ({ verb: 'splice', parameters: [at, n, ...x] })),
    },
  )
}

function inRange(intent: VerbCall, replica: ReferenceReplica): VerbCall {
  if (intent.verb === 'push') return intent
  const length = Array.from((replica.value ?? '') as string | readonly unknown[]).length
  const [at, ...rest] = intent.parameters
  const index = Math.floor(((at as number) * length) / 8)
  if (intent.verb === 'insert') return { ...intent, parameters: [index, ...rest] }
  const [count, ...inserted] = rest
  return { ...intent, parameters: [index, Math.min(count as number, length - index), ...inserted] }
}

const elements = fc.array(fc.oneof(fc.nat({ max: 99 }), fc.constantFrom('x', null, [1])), {
  minLength: 1,
  maxLength: 3,
})
const strings = fc.tuple(fc.constantFrom('a', 'b', 'cd', 'xyz', '🎈', 'é🎈z'))

const listLaws: Partial<CheckStrategyOptions> = {
  fit: inRange,
  expected: (live) => (hasInserts(live) ? fugueElements(live) : undefined),
}
const textLaws: Partial<CheckStrategyOptions> = {
  fit: inRange,
  expected: (live) => (hasInserts(live) ? fugueElements(live).join('') : undefined),
}

function hasInserts(live: Parameters<NonNullable<CheckStrategyOptions['expected']>>[0]): boolean {
  return live.some(({ payload }) => (payload as readonly unknown[]).length > 1)
}

test('list() obeys the laws', () => {
  checkLaws(list(), edits(elements), listLaws)
})

test('text() obeys the laws', () => {
  checkLaws(text(), edits(strings), textLaws)
})

const yjsEdits: fc.Arbitrary<VerbCall> = fc
  .record({ kind: fc.nat({ max: 7 }), at: fraction, count: few, pick: fc.nat({ max: 2 }) })
  .map((edit) => ({ verb: 'change', parameters: [(doc: Y.Doc) => editYjs(doc, edit)] }))

interface DocumentEdit {
  readonly kind: number
  readonly at: number
  readonly count: number
  readonly pick: number
}

/** Text, formatting, nested types, maps: whatever Yjs merges, tidies or drops in a way of its own. */
function editYjs(doc: Y.Doc, edit: DocumentEdit): void {
  if (edit.kind < 4) editBody(doc.getText('body'), edit)
  else if (edit.kind < 6) editMap(doc.getMap('map'), edit)
  else editRows(doc.getArray('rows'), edit)
}

function editBody(body: Y.Text, { kind, at, count, pick }: DocumentEdit): void {
  const index = Math.floor((at * body.length) / 8)
  const fitted = Math.min(count, body.length - index)
  if (kind < 2) body.insert(index, 'xyz'.slice(pick), kind === 0 ? {} : { bold: true })
  else if (kind === 2) body.delete(index, fitted)
  else body.format(index, fitted, pick === 0 ? { bold: null } : { bold: true, em: pick })
}

function editMap(map: Y.Map<Y.Text | number>, { kind, at, pick }: DocumentEdit): void {
  const nested = map.get('text')
  if (kind === 5 && nested instanceof Y.Text) nested.insert(0, 'n')
  else map.set('text', pick === 0 ? at : new Y.Text('t'))
}

function editRows(rows: Y.Array<Y.Array<number>>, { kind, at, pick }: DocumentEdit): void {
  if (kind === 6 && rows.length > 0) rows.delete(0)
  else if (rows.length > 0 && pick > 0) rows.get(0).push([at])
  else rows.push([new Y.Array()])
}

const yjsLaws: Partial<CheckStrategyOptions> = {
  stepsMax: 6,
  encodable: (value) => {
    const doc = value as Y.Doc
    return [doc.getText('body').toDelta(), doc.getMap('map').toJSON(), doc.getArray('rows').toJSON()] as Encodable
  },
}

test('yjs() obeys the laws', { timeout: 300_000 }, () => {
  checkLaws(yjs(), yjsEdits, yjsLaws)
})
