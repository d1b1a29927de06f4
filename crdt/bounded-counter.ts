/**
 * A bounded counter: never below `min`, and if asked never above `max`, on any replica at any time,
 * with nobody waiting.
 *
 * Escrow [1, 2]: to decrement by n is to spend n rights, which the replica must hold. An increment
 * makes n rights where it happens; `transfer` hands rights to another replica. Rights of a replica
 * shrink by its own operations only, so what it holds by its own account it holds in truth, and the
 * sum of all rights, which is the value above `min`, is never negative. With `max` there is a
 * second kind: increments spend rights to increment, decrements make them. At the start the value
 * is `min` and all room up to `max` is held by one replica, `holder`, which every replica must be
 * told alike: nobody could hand it out without agreement.
 *
 * [2] keeps a matrix of transfers because states are merged; here operations arrive once and after
 *     their causes, so a balance per replica and kind is enough, and all operations are additions
 *     to balances, which commute.
 *
 * State: per replica its rights of each kind. The key cannot be deleted: a delete would give back
 * rights that were spent. Refusals are `WARP_E_BOUND` and say what is available here and who holds
 * the rest; ask a holder to transfer, or try later.
 * Cost: O(1) per operation, O(replicas) for a read.
 *
 * When not to use it: if a counter may pass its bound now and then (`counter`), or if one replica
 * is up all the time and can decide alone. A replica that is lost takes its rights with it: the
 * bound still holds, the amount is out of reach. A copied log directory spends rights twice until
 * the copy is fenced.
 *
 * 1. P. O'Neil: The Escrow Transactional Method. ACM TODS 11(4), 1986.
 * 2. V. Balegas, D. Serra, S. Duarte, C. Ferreira, M. Shapiro, R. Rodrigues, N. Preguiça: Extending
 *    Eventually Consistent Cloud Databases for Enforcing Numeric Invariants. SRDS 2015.
 */
import { shownKind, shownValue } from './shown-kind.ts'
import { checkOptions, optionNames, refusedOption } from './checked-options.ts'
import type { Encodable } from './encoding/encodable.ts'
import type { ExactSum } from './exact-sum.ts'
import type { Prepare, Strategy } from './strategy.ts'
import type { ReplicaId } from './time/replica-id.ts'
import { WarpError } from './warp-error.ts'
import { addExactly, decodeSum, encodeSum, saturated } from './exact-sum.ts'
import { checkAmount, malformedPayload } from './encoding/payload.ts'
import { expectArray, expectReplica, fromChunks, toChunks } from './encoding/stored-state.ts'
import { isReplicaId, parseReplicaId } from './time/replica-id.ts'

/** What a right allows. */
export type Right = 'increment' | 'decrement'

/** The bounds are part of the key's meaning: the same on every replica, for ever. Integers. */
export type BoundedCounterOptions =
  | { readonly min?: number; readonly max?: never }
  | {
      /** Default 0. The counter starts here. */
      readonly min?: number
      readonly max: number
      /** The replica that holds all room between `min` and `max` at the start. */
      readonly holder: ReplicaId
    }

/** Rights per replica; an absent replica holds none. */
export interface Escrow {
  readonly decrement: Map<ReplicaId, ExactSum>
  readonly increment: Map<ReplicaId, ExactSum>
}

export type BoundedCounterVerbs = {
  /** Adds `by`, 1 if not given. With `max`, spends rights to increment. */
  readonly increment: (prepare: Prepare<Escrow>, by?: number) => Encodable | undefined
  /** Subtracts `by`, 1 if not given. Spends rights to decrement. */
  readonly decrement: (prepare: Prepare<Escrow>, by?: number) => Encodable | undefined
  /** Hands rights to another replica; to decrement, if not said otherwise. */
  readonly transfer: (prepare: Prepare<Escrow>, to: ReplicaId, amount: number, right?: Right) => Encodable | undefined
}

export type BoundedCounterQueries = {
  /** How much a replica may still do by its own decision. */
  readonly rights: (escrow: Escrow, replica: ReplicaId, right?: Right) => number
}

export type BoundedCounter = Strategy<number, Escrow, Encodable, BoundedCounterVerbs, BoundedCounterQueries>

const RIGHTS: readonly Right[] = ['decrement', 'increment']
const HOLDERS_NAMED_MAX = 5
const OPTIONS = optionNames<BoundedCounterOptions>({ min: true, max: true, holder: true })

/** Counter that stays within `[min, max]`. Throws `WARP_E_CONFIG` if the bounds make no sense. */
export function boundedCounter(options: BoundedCounterOptions = {}): BoundedCounter {
  checkOptions('boundedCounter', options, OPTIONS)
  const { min = 0, max } = options
  checkBounds(min, max)
  const holder = options.max === undefined ? undefined : holderOf(options)
  const initial = (): Escrow => ({
    decrement: new Map<ReplicaId, ExactSum>(),
    increment: new Map<ReplicaId, ExactSum>(holder === undefined || max === undefined ? [] : [[holder, max - min]]),
  })
  const empty = JSON.stringify(encodeEscrow(initial()))
  const book = new Book(min, max !== undefined)
  return {
    kind: 'bounded-counter',
    code: 4,
    foldsAs: `bounded-counter ${min} ${max ?? ''} ${holder ?? ''}`,
    fold: 'any',
    deletes: 'refused',
    initial,
    apply(escrow, { replica, payload }) {
      book.apply(escrow, replica, payload)
      return escrow
    },
    read: (escrow) => saturated(book.value(escrow)),
    isEmpty: (escrow) => JSON.stringify(encodeEscrow(escrow)) === empty,
    encodeState: encodeEscrow,
    decodeState: decodeEscrow,
    verbs: {
      increment: (prepare, by = 1) => book.increment(prepare, by),
      decrement: (prepare, by = 1) => book.decrement(prepare, by),
      transfer: (prepare, to, amount, right = 'decrement') => book.transfer(prepare, { to, amount, right }),
    },
    queries: {
      rights: (escrow, replica, right = 'decrement') => {
        if (!RIGHTS.includes(right))
          throw refusedOption('rights', 'the right', right, "give 'increment' or 'decrement'")
        if (right === 'increment' && max === undefined) return Number.MAX_SAFE_INTEGER
        return saturated(escrow[right].get(replica) ?? 0)
      },
    },
  }
}

function holderOf({ holder }: { readonly holder: unknown }): ReplicaId {
  if (isReplicaId(holder)) return holder
  throw refusedOption(
    'boundedCounter',
    'holder',
    holder,
    'with max, name the replica that holds the room up to max at the start: its id of 16 hexadecimal digits, the ' +
      'same on every replica',
  )
}

function checkBounds(min: number, max: number | undefined): void {
  const isSound = Number.isSafeInteger(min) && (max === undefined || (Number.isSafeInteger(max) && max >= min))
  if (isSound && (max === undefined || Number.isSafeInteger(max - min))) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `a bounded counter from ${shownValue(min)} to ${max === undefined ? 'no bound' : shownValue(max)}: give integers, min first`,
    {
      details: { min, max },
    },
  )
}

/** The rules of the escrow. Payloads: an amount (signed), or `[to, amount, right]`. */
class Book {
  readonly #min: number
  readonly #isBoundedAbove: boolean

  constructor(min: number, isBoundedAbove: boolean) {
    this.#min = min
    this.#isBoundedAbove = isBoundedAbove
  }

  value(escrow: Escrow): ExactSum {
    let sum: ExactSum = this.#min
    for (const rights of escrow.decrement.values()) sum = addExactly(sum, rights)
    return sum
  }

  increment(prepare: Prepare<Escrow>, by: number): number | undefined {
    if (checkAmount(by, 'increment', 0) === 0) return undefined
    const escrow = prepare.state()
    if (this.#isBoundedAbove) this.#spend(escrow, prepare.replica, 'increment', by)
    else if (typeof addExactly(this.value(escrow), by) === 'bigint') {
      const limit = Number.MAX_SAFE_INTEGER
      throw new WarpError('WARP_E_LIMIT', `increment by ${by} goes beyond ${limit}; use a larger unit`, {
        details: { amount: by, limit },
      })
    }
    return by
  }

  decrement(prepare: Prepare<Escrow>, by: number): number | undefined {
    if (checkAmount(by, 'decrement', 0) === 0) return undefined
    this.#spend(prepare.state(), prepare.replica, 'decrement', by)
    return -by
  }

  transfer(prepare: Prepare<Escrow>, order: { to: ReplicaId; amount: number; right: Right }): Encodable | undefined {
    const to = parseReplicaId(order.to)
    const code = RIGHTS.indexOf(order.right)
    if (code < 0 || (order.right === 'increment' && !this.#isBoundedAbove)) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `no rights to ${code < 0 ? shownKind(order.right) : order.right} exist here: increments need them only with a max`,
      )
    }
    if (checkAmount(order.amount, 'transfer', 0) === 0 || to === prepare.replica) return undefined
    this.#spend(prepare.state(), prepare.replica, order.right, order.amount)
    return [to, order.amount, code]
  }

  apply(escrow: Escrow, replica: ReplicaId, payload: Encodable): void {
    if (typeof payload === 'number' && Number.isSafeInteger(payload)) {
      credit(escrow.decrement, replica, payload)
      if (this.#isBoundedAbove) credit(escrow.increment, replica, -payload)
      return
    }
    const [to, amount, code] = Array.isArray(payload) ? (payload as readonly Encodable[]) : []
    const right = RIGHTS[code as number]
    if (right === undefined || !Number.isSafeInteger(amount) || (amount as number) <= 0) {
      throw malformedPayload('bounded-counter')
    }
    const receiver = expectReplica(to)
    credit(escrow[right], replica, -(amount as number))
    credit(escrow[right], receiver, amount as number)
  }

  #spend(escrow: Escrow, replica: ReplicaId, right: Right, amount: number): void {
    const available = saturated(escrow[right].get(replica) ?? 0)
    if (available >= amount) return
    const others = [...escrow[right]].filter(([holder]) => holder !== replica)
    const named = others.slice(0, HOLDERS_NAMED_MAX).map(([holder, rights]) => `${holder} ${rights}`)
    const elsewhere = others.length === 0 ? 'nobody holds more' : `others hold: ${named.join(', ')}`
    throw new WarpError(
      'WARP_E_BOUND',
      `${amount} rights to ${right} needed, ${available} held by this replica (${replica}), ${elsewhere}; ` +
        'have a holder transfer some, or wait until there are more',
      { details: { right, amount, available, replica, holders: others.map(([holder]) => holder).join(' ') } },
    )
  }
}

function credit(balances: Map<ReplicaId, ExactSum>, replica: ReplicaId, amount: number): void {
  const balance = addExactly(balances.get(replica) ?? 0, amount)
  if (balance === 0) balances.delete(replica)
  else balances.set(replica, balance)
}

/** `[replica, to decrement, to increment]`, by replica. */
function encodeEscrow(escrow: Escrow): Encodable {
  const replicas = [...new Set([...escrow.decrement.keys(), ...escrow.increment.keys()])].sort()
  return toChunks(
    replicas.map((replica) => [
      replica,
      encodeSum(escrow.decrement.get(replica) ?? 0),
      encodeSum(escrow.increment.get(replica) ?? 0),
    ]),
  )
}

function decodeEscrow(encoded: Encodable): Escrow {
  const escrow: Escrow = { decrement: new Map<ReplicaId, ExactSum>(), increment: new Map<ReplicaId, ExactSum>() }
  for (const entry of fromChunks(encoded)) {
    const [replica, decrement, increment] = expectArray(entry)
    for (const [balances, sum] of [
      [escrow.decrement, decodeSum(decrement)],
      [escrow.increment, decodeSum(increment)],
    ] as const) {
      if (sum !== 0) balances.set(expectReplica(replica), sum)
    }
  }
  return escrow
}
