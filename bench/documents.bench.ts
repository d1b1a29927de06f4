/**
 * A text typed key by key: Yjs alone, making one update per edit, against the same through Warp,
 * where each edit is an operation with its place in the log. The edits are the history of a paper
 * (automerge-perf) if `../shared/data` has it.
 */
import * as Y from 'yjs'
import { openWarp } from '../adapters/node/index.ts'
import { yjs } from '../crdt/documents/yjs.ts'
import type { BenchContext } from './support/bench.ts'
import { type Edit, paperEdits } from './support/paper.ts'
import type { Running } from './support/measure.ts'
import { turn } from './support/users.ts'

export const question = 'What does Warp add to a Yjs document, one operation per edit?'

export async function run(context: BenchContext): Promise<void> {
  const { edits, origin } = paperEdits(context, context.size(100_000, 500))
  const ending = contentOf(edits)
  await context.compare({
    title: `${edits.length.toLocaleString('en-US')} edits of ${origin}`,
    baseline: 'Yjs, one update per edit',
    operations: edits.length,
    batches: 1,
    rounds: 5,
    fresh: true,
    contestants: [
      { name: 'Yjs, one update per edit', open: () => openYjs(edits, ending) },
      { name: 'Warp', open: () => openDocument(edits, ending) },
    ],
    goals: [{ of: 'Warp', atLeast: 1 / 1.2 }],
  })
}

function openYjs(edits: readonly Edit[], ending: string): Running {
  const doc = new Y.Doc()
  const body = doc.getText('body')
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  return {
    batch() {
      for (const edit of edits) doc.transact(() => apply(body, edit))
    },
    verify() {
      if (updates.length !== edits.length) throw new Error(`${updates.length} updates of ${edits.length} edits`)
      checkContent(body.toJSON(), ending)
    },
  }
}

async function openDocument(edits: readonly Edit[], ending: string): Promise<Running> {
  const warp = await openWarp({ keys: { 'paper:*': yjs() } })
  const paper = warp.key('paper:1')
  return {
    async batch() {
      for (let i = 0; i < edits.length; i++) {
        void paper.change((doc) => apply(doc.getText('body'), edits[i] as Edit))
        if (i % 1000 === 0) await turn()
      }
      await turn()
    },
    async verify() {
      const { operationsCount } = warp.stats().log
      if (operationsCount !== edits.length) throw new Error(`${operationsCount} operations of ${edits.length} edits`)
      checkContent((await paper.get())?.getText('body').toJSON(), ending)
    },
    close: () => warp.close(),
  }
}

function apply(body: Y.Text, { at, deleted, inserted }: Edit): void {
  if (deleted > 0) body.delete(at, deleted)
  if (inserted !== '') body.insert(at, inserted)
}

function contentOf(edits: readonly Edit[]): string {
  const units: string[] = []
  for (const { at, deleted, inserted } of edits) units.splice(at, deleted, ...inserted.split(''))
  return units.join('')
}

function checkContent(actual: string | undefined, expected: string): void {
  if (actual !== expected) throw new Error('the document is not what was typed')
}
