/**
 * All laws, in the order in which they are asked: what breaks the first ones breaks most of the
 * others, too, and is better told as what it is.
 */
import type { Claims } from './claims.ts'
import { checkExpected, checkIdempotent, checkMerge, checkObservedRemove } from './laws-of-claims.ts'
import { checkDeterminism, checkJoins, checkOrders, checkPurity, checkReplay } from './laws-of-order.ts'
import { checkAliasing, checkCompaction, checkEmpty, checkEncoding, checkSnapshots } from './laws-of-state.ts'
import type { Finding, Trial } from './trial.ts'

export interface Law {
  readonly name: LawName
  /** One sentence. */
  readonly statement: string
}

export interface CheckedLaw extends Law {
  check(trial: Trial): Finding | undefined
}

export type LawName =
  | 'total'
  | 'refusal'
  | 'invariant'
  | 'determinism'
  | 'purity'
  | 'aliasing'
  | 'replay'
  | 'order'
  | 'join'
  | 'encoding'
  | 'snapshot'
  | 'compaction'
  | 'empty'
  | 'idempotence'
  | 'merge'
  | 'observed-remove'
  | 'expected'

/** Looked at while a history is played. */
export const LAWS_OF_PLAY: Readonly<Record<'total' | 'refusal' | 'invariant' | 'mutation', Law>> = {
  total: {
    name: 'total',
    statement: 'what a verb makes, apply takes, on every replica; and a verb that refuses throws a WarpError',
  },
  refusal: { name: 'refusal', statement: 'a verb that refuses leaves the state as it was' },
  invariant: { name: 'invariant', statement: '`invariant` holds on every replica after every step' },
  mutation: { name: 'purity', statement: 'apply, read and a merge function leave what they are given alone' },
}

export const LAW_OF_DETERMINISM: CheckedLaw = {
  name: 'determinism',
  statement: 'the same operations in the same order give the same state',
  check: checkDeterminism,
}

export const LAW_OF_EMPTY: CheckedLaw = {
  name: 'empty',
  statement: 'the initial state is empty, and an empty state is the initial one',
  check: checkEmpty,
}

export const LAWS: readonly CheckedLaw[] = [
  LAW_OF_DETERMINISM,
  { ...LAWS_OF_PLAY.mutation, check: checkPurity },
  { name: 'aliasing', statement: 'states, snapshots and values share nothing that changes', check: checkAliasing },
  {
    name: 'order',
    statement: 'operations give the same state in whatever causal order they come, and however often',
    check: checkOrders,
  },
  { name: 'replay', statement: 'what a replica folded live is what its log folds to', check: checkReplay },
  {
    name: 'join',
    statement: 'joining what replicas hold is commutative, associative and idempotent',
    check: checkJoins,
  },
  { name: 'encoding', statement: 'states and payloads survive their bytes', check: checkEncoding },
  {
    name: 'snapshot',
    statement: 'a snapshot and the operations behind it give what all operations give',
    check: checkSnapshots,
  },
  { name: 'compaction', statement: 'folding a stable prefix away changes nothing', check: checkCompaction },
  LAW_OF_EMPTY,
  {
    name: 'idempotence',
    statement: 'applying an operation twice is applying it once, as is claimed',
    check: checkIdempotent,
  },
  {
    name: 'merge',
    statement:
      '`merge` is commutative, associative and idempotent, and gives the state of all operations, as is claimed',
    check: checkMerge,
  },
  {
    name: 'observed-remove',
    statement: 'an element is in exactly if it has an add that no remove had seen, as is claimed',
    check: checkObservedRemove,
  },
  { name: 'expected', statement: 'the value is what `expected` says', check: checkExpected },
]

/** What a claim has to be there for. */
const CLAIMED: Partial<Record<LawName, keyof Claims>> = {
  invariant: 'invariant',
  idempotence: 'idempotent',
  merge: 'merge',
  'observed-remove': 'observedRemove',
  expected: 'expected',
}

/** The names of the laws that a strategy of which so much is claimed is held to. */
export function lawsFor(claims: Claims): LawName[] {
  const names = new Set([...Object.values(LAWS_OF_PLAY), ...LAWS].map(({ name }) => name))
  return [...names].filter((name) => {
    const claim = CLAIMED[name]
    return claim === undefined || (claims[claim] !== undefined && claims[claim] !== false)
  })
}
