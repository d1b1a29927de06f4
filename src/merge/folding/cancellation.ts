/**
 * Which operations have no effect because others, whose writers had seen them, take them away:
 * deletes of keys, removals of entries (see `cancels` in `crdt/strategy.ts`).
 *
 * Cost of looking at n operations: n reads, and for each one comparison with all deletes together
 * and one with each distinct payload that cancels in its scope (of a map: one or a few per entry).
 */
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import { decode } from '../../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import type { Meter } from '../../operation/budget.ts'
import { CausalContext } from '../../operation/envelope/causal-context.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { Placed } from '../placed.ts'
import { enterUsersCode, leaveUsersCode } from '../users-code.ts'

/** Reads an operation in place. Valid until the next one is read. */
type Read = (operation: Placed) => OperationReader

/** What becomes of an operation: applied in its place, or one of the others (`repeats.ts`). */
export const FATE = { applied: 0, cancelled: 1, base: 2, repeat: 3 } as const

/** The fate of each of some operations, by its index among them. */
export interface Fates {
  readonly of: Uint8Array
  /** Whether any of them is not applied in its place. */
  readonly hasCancelled: boolean
}

/**
 * The operations that another one cancels (`cancelled`), and the cancellers themselves (`base`:
 * they observed the whole base, so what they cancel there is cancelled first). A canceller that is
 * itself cancelled still cancels.
 */
export function* fatesSteps(
  strategy: AnyStrategy,
  operations: readonly Placed[],
  { read, meter }: { readonly read: Read; readonly meter: Meter },
): Generator<void, Fates> {
  const of = new Uint8Array(operations.length)
  const cancellers = new Cancellers(strategy)
  let hasCancelled = false
  for (const [i, operation] of operations.entries()) {
    const reader = read(operation)
    if (cancellers.offer(reader)) {
      of[i] = FATE.base
      hasCancelled = true
    }
    meter.spend(1, reader.end - reader.start)
    if (meter.isSpent) yield
  }
  if (!hasCancelled) return { of, hasCancelled }
  for (const [i, operation] of operations.entries()) {
    if (of[i] === FATE.applied && cancellers.cancel(operation, read)) of[i] = FATE.cancelled
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  return { of, hasCancelled }
}

/** Whether an operation cancels others. */
export function isCanceller(strategy: AnyStrategy, operation: OperationReader): boolean {
  if (operation.kind === OPERATION_KIND.delete) return strategy.deletes === 'observed'
  return strategy.cancels !== undefined && coverageOf(strategy, payloadOf(strategy, operation)) !== undefined
}

type Covers = (payload: Encodable | undefined) => boolean

/** Cancellers with the same payload: together they cancel what any of them had seen. */
interface Group {
  readonly covers: Covers
  readonly seen: CausalContext
}

/** Payloads longer than this, in bytes, are not compared. */
const COMPARED_BYTES_MAX = 256

class Cancellers {
  readonly #strategy: AnyStrategy
  /** What the deletes had seen. They cancel all of it. */
  readonly #deleted = new CausalContext()
  /** By scope, and in it by payload. */
  readonly #scopes = new Map<string | undefined, Map<string, Group>>()

  constructor(strategy: AnyStrategy) {
    this.#strategy = strategy
  }

  /** Takes an operation in if it cancels others, and says whether it does. */
  offer(reader: OperationReader): boolean {
    const strategy = this.#strategy
    if (reader.kind === OPERATION_KIND.delete) {
      if (strategy.deletes !== 'observed') return false
      this.#deleted.join(reader)
      return true
    }
    if (strategy.cancels === undefined) return false
    const payload = payloadOf(strategy, reader)
    const covers = coverageOf(strategy, payload)
    if (covers === undefined) return false
    this.#group(payload as Encodable, covers, reader).seen.join(reader)
    return true
  }

  /** Whether one of them cancels an operation. */
  cancel(operation: Placed, read: Read): boolean {
    const { replica, sequence } = operation
    if (this.#deleted.includes(replica, sequence)) return true
    if (this.#scopes.size === 0) return false
    const payload = payloadOf(this.#strategy, read(operation))
    const scope = scopeOf(this.#strategy, payload)
    return (
      this.#isCoveredIn(scope, operation, payload) ||
      (scope !== undefined && this.#isCoveredIn(undefined, operation, payload))
    )
  }

  #isCoveredIn(scope: string | undefined, { replica, sequence }: Placed, payload: Encodable | undefined): boolean {
    for (const { seen, covers } of this.#scopes.get(scope)?.values() ?? [])
      if (seen.includes(replica, sequence) && covers(payload)) return true
    return false
  }

  #group(payload: Encodable, covers: Covers, { bytes, payloadStart, end }: OperationReader): Group {
    const scope = scopeOf(this.#strategy, payload)
    let groups = this.#scopes.get(scope)
    if (groups === undefined) this.#scopes.set(scope, (groups = new Map<string, Group>()))
    const name =
      end - payloadStart > COMPARED_BYTES_MAX
        ? String(groups.size)
        : String.fromCharCode(...bytes.subarray(payloadStart, end))
    let group = groups.get(name)
    if (group === undefined) groups.set(name, (group = { covers, seen: new CausalContext() }))
    return group
  }
}

function isTrue(covers: (earlier: Encodable) => boolean, earlier: Encodable): boolean {
  enterUsersCode()
  try {
    return covers(earlier)
  } catch {
    return false
  } finally {
    leaveUsersCode()
  }
}

/**
 * What a payload cancels. A strategy that throws over it cancels nothing; it will refuse to apply
 * it as well.
 */
function coverageOf(strategy: AnyStrategy, payload: Encodable | undefined): Covers | undefined {
  enterUsersCode()
  try {
    const covers = payload === undefined ? undefined : strategy.cancels?.(payload)
    return covers === undefined ? undefined : (earlier) => earlier !== undefined && isTrue(covers, earlier)
  } catch {
    return undefined
  } finally {
    leaveUsersCode()
  }
}

/** Where a payload can be cancelled, `undefined` for anywhere. */
function scopeOf(strategy: AnyStrategy, payload: Encodable | undefined): string | undefined {
  enterUsersCode()
  try {
    return payload === undefined ? undefined : strategy.cancelScope?.(payload)
  } catch {
    return undefined
  } finally {
    leaveUsersCode()
  }
}

/** The payload of an update; `undefined` if it is none of this strategy's, or malformed. */
function payloadOf(strategy: AnyStrategy, operation: OperationReader): Encodable | undefined {
  if (operation.kind !== OPERATION_KIND.update || operation.strategy !== strategy.code) return undefined
  try {
    return decode(operation.bytes, operation.payloadStart, operation.end)
  } catch {
    return undefined
  }
}
