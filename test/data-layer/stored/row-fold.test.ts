/** What a row would hold: operations that were issued again count once, whatever names they are here under. */
import { describe, expect, test } from 'vitest'
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Base } from '../../../src/data-layer/stored/rows/base.ts'
import { isPlacedBy, type OpenOperation } from '../../../src/data-layer/stored/rows/open-operation.ts'
import { foldOver } from '../../../src/data-layer/stored/rows/row-fold.ts'
import type { ChainReader } from '../../../src/merge/folding/chain-reader.ts'
import { OPERATION_KIND } from '../../../src/operation/envelope/kinds.ts'

const FORMER = '00000000000000aa' as ReplicaId
const PRESENT = '00000000000000bb' as ReplicaId
const OTHER = '00000000000000cc' as ReplicaId
/** Nothing is read: each operation brings its payload along. */
const NO_LOG = {} as unknown as ChainReader
const NOTHING: Base = { value: undefined, vector: new VersionVector(), tip: undefined, name: 'n' }

function written(strategy: AnyStrategy, { dot, hlc, payload, origin }: Written): OpenOperation {
  return {
    ...{ ...dot, hlc, kind: OPERATION_KIND.update, strategy: strategy.code, position: -1 },
    ...{ others: origin === undefined ? [] : [origin], isReissued: origin !== undefined },
    draft: { payload, observed: () => false },
  }
}

interface Written {
  readonly dot: Dot
  readonly hlc: number
  readonly payload: unknown
  /** Its first name, if it has been issued again. */
  readonly origin?: Dot
}

function dot(replica: ReplicaId, sequence: number): Dot {
  return { replica, sequence }
}

function valueOf(strategy: AnyStrategy, base: Base, ...operations: readonly Written[]): unknown {
  const folding = { strategy, base, operations: operations.map((one) => written(strategy, one)), chains: NO_LOG }
  return foldOver(folding).value
}

describe('an increment that was issued again', () => {
  const adds = counter()
  const first: Written = { dot: dot(FORMER, 1), hlc: 10, payload: 5 }
  const again: Written = { dot: dot(PRESENT, 1), hlc: 20, payload: 5, origin: dot(FORMER, 1) }
  const onceMore: Written = { dot: dot(OTHER, 7), hlc: 30, payload: 5, origin: dot(FORMER, 1) }

  test('counts once beside its original, and beside itself', () => {
    expect(valueOf(adds, NOTHING, first, again)).toBe(5)
    expect(valueOf(adds, NOTHING, again, onceMore)).toBe(5)
    expect(valueOf(adds, NOTHING, onceMore, first, again)).toBe(5)
  })

  test('counts once where the row holds it by its first name', () => {
    const base = { ...NOTHING, value: 5, vector: VersionVector.from([[FORMER, 1]]) }
    expect(valueOf(adds, base, again, onceMore)).toBe(5)
  })

  test('takes no other with it', () => {
    expect(valueOf(adds, NOTHING, first, { ...again, origin: dot(FORMER, 2) })).toBe(10)
  })
})

test('a register in a row keeps the place of a write that it holds by its first name', () => {
  const strategy = register<string>()
  const again = written(strategy, { dot: dot(PRESENT, 1), hlc: 20, payload: 'x', origin: dot(FORMER, 1) })
  const plain = written(strategy, { dot: dot(PRESENT, 2), hlc: 21, payload: 'y' })
  const holds = VersionVector.from([[FORMER, 1]])
  expect([again, plain].map(isPlacedBy(holds))).toEqual([true, false])
  holds.raise(PRESENT, 1)
  expect(isPlacedBy(holds)(again)).toBe(false)
})
