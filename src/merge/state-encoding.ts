/**
 * Encodes and decodes the state of a key in steps: a set of 100,000 elements would hold the event loop
 * for longer than anything may. The bytes are those of `encodeState` as a whole.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, decodeItems, encodeInto, encodeListHeader } from '../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { STEP, type Meter } from '../operation/budget.ts'
import { enterUsersCode, leaveUsersCode } from './users-code.ts'

/** States of fewer pieces are encoded in one go. */
const PIECES_MIN = 1024
/** To make the next item, or to come nearer to it, costs about as much as this many operations. */
const OPERATIONS_PER_ITEM = STEP.operations / 2
const BYTES_AT_FIRST = 65_536
/** States of fewer bytes are decoded in one go. */
const DECODED_BYTES_MIN = 65_536

/** The state of a key as bytes: a list whose items have been encoded one after the other. */
export class EncodedState {
  readonly #items: ByteWriter
  /** How many items the list has; `undefined` if the bytes are all there is to it. */
  readonly #count: number | undefined

  constructor(items: ByteWriter, count?: number) {
    this.#items = items
    this.#count = count
  }

  writeTo(writer: ByteWriter): void {
    if (this.#count !== undefined) encodeListHeader(writer, this.#count)
    writer.raw(this.#items.bytes, this.#items.start, this.#items.at)
  }
}

/**
 * Nobody may change `state` until all is encoded. `undefined` if it takes more than `bytesMax`.
 * Throws what the strategy throws.
 */
export function* encodeStateSteps(
  strategy: AnyStrategy,
  state: unknown,
  { meter, bytesMax = Infinity }: { readonly meter: Meter; readonly bytesMax?: number },
): Generator<void, EncodedState | undefined> {
  const isShort = strategy.encodeStateSteps === undefined || (strategy.piecesOf?.(state) ?? 1) < PIECES_MIN
  if (isShort) {
    const whole = new ByteWriter()
    encodeInto(
      whole,
      asUsers(() => strategy.encodeState(state)),
    )
    meter.spend(0, whole.at)
    return whole.at > bytesMax ? undefined : new EncodedState(whole)
  }
  const writer = new ByteWriter(BYTES_AT_FIRST)
  const steps = asUsers(() => strategy.encodeStateSteps?.(state) as Iterable<Encodable | undefined>)
  const iterator = steps[Symbol.iterator]()
  let count = 0
  for (let next = asUsers(() => iterator.next()); next.done !== true; next = asUsers(() => iterator.next())) {
    meter.spend(OPERATIONS_PER_ITEM, 0)
    if (meter.isSpent) yield
    if (next.value === undefined) continue
    count++
    yield* encodeItemSteps(writer, next.value, meter)
    if (writer.at > bytesMax) return undefined
  }
  return new EncodedState(writer, count)
}

/** `bytes` must be the caller's own. Throws what the strategy throws, and `WARP_E_PROTOCOL`. */
export function* decodeStateSteps(strategy: AnyStrategy, bytes: Uint8Array, meter: Meter): Generator<void, unknown> {
  if (strategy.decodeStateSteps === undefined || bytes.length < DECODED_BYTES_MIN) {
    meter.spend(1, bytes.length)
    return asUsers((): unknown => strategy.decodeState(decode(bytes)))
  }
  const steps = asUsers(() => strategy.decodeStateSteps?.(decodeItems(bytes)) as Generator<undefined, unknown>)
  for (;;) {
    const step = asUsers(() => steps.next())
    if (step.done === true) return step.value
    meter.spend(OPERATIONS_PER_ITEM, 0)
    if (meter.isSpent) yield
  }
}

function* encodeItemSteps(writer: ByteWriter, item: Encodable, meter: Meter): Generator<void, void> {
  if (!Array.isArray(item)) {
    const from = writer.at
    encodeInto(writer, item)
    meter.spend(1, writer.at - from)
    return
  }
  encodeListHeader(writer, item.length)
  for (const part of item as readonly Encodable[]) {
    const from = writer.at
    encodeInto(writer, part)
    meter.spend(1, writer.at - from)
    if (meter.isSpent) yield
  }
}

function asUsers<Result>(call: () => Result): Result {
  enterUsersCode()
  try {
    return call()
  } finally {
    leaveUsersCode()
  }
}
