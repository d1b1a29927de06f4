/**
 * The laws of Automerge documents. In a file of their own, because 10,000 histories take more than a minute (some 8 ms each, nearly all
 * of it in Automerge) and other files run meanwhile; short histories for the same reason.
 */
import * as Automerge from '@automerge/automerge'
import fc from 'fast-check'
import { test } from 'vitest'
import type { AnyStrategy } from '../crdt/strategy.ts'
import type { AutomergeState } from '../crdt/documents/automerge.ts'
import type { Encodable } from '../crdt/encoding/encodable.ts'
import type { CheckStrategyOptions } from '../testing/check-strategy.ts'
import type { VerbCall } from '../testing/laws/law-operation.ts'
import { automerge } from '../crdt/documents/automerge.ts'
import { byExtent } from '../test/support/extent.ts'
import { checkLaws } from './check-laws.ts'

interface DocumentEdit {
  readonly kind: number
  readonly at: number
  readonly count: number
  readonly pick: number
}

const automergeEdits: fc.Arbitrary<VerbCall> = fc
  .record({ kind: fc.nat({ max: 4 }), at: fc.nat({ max: 8 }), count: fc.nat({ max: 3 }), pick: fc.nat({ max: 2 }) })
  .map((edit) => ({ verb: 'change', parameters: [(draft: Draft) => editAutomerge(draft, edit)] }))

type Draft = { body?: string; rows?: number[]; title?: number }

function editAutomerge(draft: Draft, { kind, at, count, pick }: DocumentEdit): void {
  if (kind === 0) draft.title = pick
  else if (kind === 1) delete draft.title
  else if (draft.rows === undefined || draft.body === undefined) Object.assign(draft, { rows: [at], body: 'xy' })
  else if (kind === 2) draft.rows.splice(Math.min(at, draft.rows.length), pick, count)
  else Automerge.splice(draft, ['body'], Math.floor((at * draft.body.length) / 8), 0, 'xyz'.slice(pick))
}

/** The order of properties is not part of an Automerge document, and the encoding leaves it out. */
const automergeLaws: Partial<CheckStrategyOptions> = { stepsMax: 3, encodable: (value) => value as Encodable }

/** Of these a fifth in `npm test`, as of all laws. */
const RUNS = byExtent({ some: 1200, all: 6000, soak: 10_000 })

const DOCUMENTS_KEPT = 1000

/** Frees documents of histories that are over. Automerge leaves it to finalizers, which do not run before a test has ended. */
function freeing(strategy: AnyStrategy, made: AutomergeState<Draft>[]): AnyStrategy {
  const keep = (state: unknown): unknown => {
    made.push(state as AutomergeState<Draft>) // of `automerge()`, see below
    if (made.length === 2 * DOCUMENTS_KEPT) for (const { doc } of made.splice(0, DOCUMENTS_KEPT)) Automerge.free(doc)
    return state
  }
  return {
    ...strategy,
    initial: () => keep(strategy.initial()),
    decodeState: (encoded) => keep(strategy.decodeState(encoded)),
  }
}

test('automerge() obeys the laws', { timeout: 600_000 }, () => {
  const made: AutomergeState<Draft>[] = []
  checkLaws(freeing(automerge<Draft>(), made), automergeEdits, { ...automergeLaws, runs: RUNS })
})
