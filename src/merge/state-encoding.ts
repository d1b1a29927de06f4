/**
 * Encodes and decodes the state of a key in steps: a set of 100,000 elements would hold the event loop
 * for longer than anything may. The bytes are those of `encodeState` as a whole. Of a large state no
 * more than a few MiB of them are in memory: they are handed on in pieces.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, decodeItemsSteps, encodeInto, encodeListHeader } from '../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { STEP, type Meter } from '../operation/budget.ts'
import { enterUsersCode, leaveUsersCode } from './users-code.ts'

/** States of fewer pieces are encoded in one go. */
const PIECES_MIN = 1024
/** To make the next item, or to come nearer to it, costs about as much as this many operations. */
const OPERATIONS_PER_ITEM = STEP.operations / 2
/** Where a piece takes more, lists in a list are encoded in steps as well. */
const LONG_PIECE_BYTES = 4096
/** So many levels of them. */
const LISTS_IN_STEPS_MAX = 4
const BYTES_AT_FIRST = 65_536
/** States of fewer bytes are decoded in one go. */
const DECODED_BYTES_MIN = 65_536

/** Where the pieces of a state go that is too large to stay in one. */
export interface Pieces {
  /** A state of no more bytes stays in one piece. */
  readonly undividedMax: number
  /** How long each is, but for the last. */
  readonly bytes: number
  /** Copies the next piece. What it throws ends the encoding. */
  readonly take: (bytes: Uint8Array, start: number, end: number) => void
}

export interface EncodingBounds {
  readonly meter: Meter
  readonly bytesMax?: number
  readonly pieces?: Pieces
  /** About how many bytes the state takes, if that is known: one of few large elements is worth steps too. */
  readonly weight?: number
}

/**
 * The state of a key as bytes: a list whose items have been encoded one after the other. Of one that
 * went into pieces, what stands in front of them.
 */
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
  bounds: EncodingBounds,
): Generator<void, EncodedState | undefined> {
  const { bytesMax = Infinity, weight = 0 } = bounds
  const pieces = strategy.piecesOf?.(state) ?? 1
  const items = new Items(bounds, weight >= pieces * LONG_PIECE_BYTES ? LISTS_IN_STEPS_MAX : 1)
  const isSmall = pieces < PIECES_MIN && weight < STEP.bytes
  const steps = isSmall ? undefined : asUsers(() => strategy.encodeStateSteps?.(state))
  if (steps !== undefined) return yield* encodeItemsSteps(steps, items, bounds)
  yield* items.add(asUsers(() => strategy.encodeState(state)))
  return items.bytes > bytesMax ? undefined : new EncodedState(yield* items.end())
}

function* encodeItemsSteps(
  steps: Iterable<Encodable | undefined>,
  items: Items,
  { meter, bytesMax = Infinity }: EncodingBounds,
): Generator<void, EncodedState | undefined> {
  const iterator = steps[Symbol.iterator]()
  let count = 0
  for (let next = asUsers(() => iterator.next()); next.done !== true; next = asUsers(() => iterator.next())) {
    meter.spend(OPERATIONS_PER_ITEM, 0)
    if (meter.isSpent) yield
    if (next.value === undefined) continue
    count++
    yield* items.addSteps(next.value)
    if (items.bytes > bytesMax) return undefined
  }
  return new EncodedState(yield* items.end(), count)
}

/** The items of a list as bytes, of which the first ones may have been handed on. */
class Items {
  readonly #meter: Meter
  readonly #pieces: Pieces | undefined
  readonly #bytesMax: number
  readonly #writer = new ByteWriter(BYTES_AT_FIRST)
  /** Lists in so many lists are encoded one entry after the other. */
  readonly #depth: number
  #handedOn = 0

  constructor({ meter, pieces, bytesMax = Infinity }: EncodingBounds, depth: number) {
    this.#depth = depth
    this.#meter = meter
    this.#pieces = pieces
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#handedOn + this.#writer.at
  }

  /** An item in one go. */
  *add(item: Encodable): Generator<void, void> {
    this.#encode(item)
    if (this.#isDue) yield* this.#handOn()
  }

  /** Of an item that is a list, one entry after the other. */
  *addSteps(item: Encodable, depth = 1): Generator<void, void> {
    if (!Array.isArray(item)) {
      yield* this.add(item)
      return
    }
    encodeListHeader(this.#writer, item.length)
    for (const entry of item as readonly Encodable[]) {
      if (depth < this.#depth && Array.isArray(entry)) yield* this.addSteps(entry, depth + 1)
      else this.#encode(entry)
      if (this.bytes > this.#bytesMax) return
      if (this.#isDue) yield* this.#handOn()
      if (this.#meter.isSpent) yield
    }
  }

  #encode(item: Encodable): void {
    const from = this.#writer.at
    encodeInto(this.#writer, item)
    this.#meter.spend(1, this.#writer.at - from)
  }

  /** Whether there is too much of it to stay here. */
  get #isDue(): boolean {
    const pieces = this.#pieces
    if (pieces === undefined || this.bytes > this.#bytesMax) return false
    return this.bytes > pieces.undividedMax && this.#writer.at >= pieces.bytes
  }

  /** All that has not been handed on; nothing, if anything has. */
  *end(): Generator<void, ByteWriter> {
    if (this.#handedOn > 0) yield* this.#handOn(1)
    return this.#writer
  }

  /** Hands on what there is, until less than a piece is left, or than `least`. */
  *#handOn(least?: number): Generator<void, void> {
    const { bytes, take } = this.#pieces as Pieces
    const writer = this.#writer
    let from = 0
    while (writer.at - from >= (least ?? bytes)) {
      const to = Math.min(writer.at, from + bytes)
      take(writer.bytes, from, to)
      this.#handedOn += to - from
      this.#meter.spend(1, to - from)
      from = to
      if (this.#meter.isSpent) yield
    }
    const rest = writer.bytes.subarray(from, writer.at)
    writer.reset()
    writer.raw(rest)
  }
}

/** `bytes` must be the caller's own. Throws what the strategy throws, and `WARP_E_PROTOCOL`. */
export function* decodeStateSteps(strategy: AnyStrategy, bytes: Uint8Array, meter: Meter): Generator<void, unknown> {
  if (strategy.decodeStateSteps === undefined || bytes.length < DECODED_BYTES_MIN) {
    meter.spend(1, bytes.length)
    return asUsers((): unknown => strategy.decodeState(decode(bytes)))
  }
  const items = new ItemsAhead(decodeItemsSteps(bytes))
  const steps = asUsers(() => strategy.decodeStateSteps?.(items) as Generator<undefined, unknown>)
  for (;;) {
    while (items.advance()) {
      meter.spend(0, DECODED_BYTES_MIN)
      if (meter.isSpent) yield
    }
    const step = asUsers(() => steps.next())
    if (step.done === true) return step.value
    meter.spend(OPERATIONS_PER_ITEM, 0)
    if (meter.isSpent) yield
  }
}

/** Items of which the next one is decoded before it is asked for, in steps. */
class ItemsAhead implements Iterable<Encodable> {
  readonly #source: Iterator<Encodable | undefined, void>
  #next: Encodable | undefined

  constructor(source: Iterator<Encodable | undefined, void>) {
    this.#source = source
  }

  /** Returns whether the next item has not come yet. */
  advance(): boolean {
    if (this.#next !== undefined) return false
    const read = this.#source.next()
    if (read.done === true) return false
    this.#next = read.value
    return this.#next === undefined
  }

  *[Symbol.iterator](): Generator<Encodable, void> {
    for (;;) {
      while (this.advance());
      const item = this.#next
      if (item === undefined) return
      this.#next = undefined
      yield item
    }
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
