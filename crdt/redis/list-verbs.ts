/** What can be written to a list. As `verbs.ts` says. */
import type { Encodable } from '../encoding/encodable.ts'
import type { Prepare } from '../strategy.ts'
import { WarpError } from '../warp-error.ts'
import type { Element, Elements } from './elements.ts'
import type { Position, Side } from './positions.ts'
import { Situation, checkBinary, refused, type Replacing } from './situation.ts'
import type { RedisState } from './state.ts'

type Made = Encodable | undefined
type Preparing = Prepare<RedisState>

export interface PushOptions {
  readonly replacing?: Replacing | undefined
}

/** Elements from an index on. */
export type Range = readonly [index: number, count: number]

/** Insertions of which each hangs on the one before it. */
const STEPS_MAX = 32
const ELEMENT_BYTES = 8
const STRAIGHTENED_BYTES_MAX = 2_097_152

const SIDES = { left: -1, right: 1 } as const

/** RPUSH, LPUSH: each value is pushed behind, or before, the one before it. */
export function push(
  prepare: Preparing,
  nowMs: number,
  { to, values, replacing }: { readonly to: 'left' | 'right'; readonly values: readonly string[] } & PushOptions,
): Made {
  const situation = new Situation(prepare, nowMs)
  const list = replacing === undefined ? situation.part('list') : undefined
  const pushed = values.map(checkBinary)
  if (pushed.length === 0) return undefined
  const order = orderIn(list, nowMs)
  return situation.payload({ act: { act: 'push', side: sideOf(to), order, values: pushed }, replacing })
}

/** LINSERT: beside the element at an index. Throws `WARP_E_LIMIT` beyond the list. */
export function insertBeside(
  prepare: Preparing,
  nowMs: number,
  { index, on, value }: { readonly index: number; readonly on: 'left' | 'right'; readonly value: string },
): Made {
  const situation = new Situation(prepare, nowMs)
  const list = situation.part('list')
  const [order, text] = [orderIn(list, nowMs), checkBinary(value)]
  const { pivot, side } = placeBeside(list, index, sideOf(on))
  if (pivot === undefined) return situation.payload({ act: { act: 'push', side, order, values: [text] } })
  if (pivot.inserted.length >= STEPS_MAX)
    return straightened(situation, { list: list as Elements, order, index, on, text })
  return situation.payload({ act: { act: 'insert', pivot, side, order, value: text } })
}

/**
 * What an element hangs on that is inserted beside another one: beside what was inserted itself better on
 * the neighbour, or, at an end, on nothing. Throws `WARP_E_LIMIT`.
 */
function placeBeside(
  list: Elements | undefined,
  index: number,
  side: Side,
): { readonly pivot: Element | undefined; readonly side: Side } {
  const beside = elementAt(list, index)
  const depth = beside.inserted.length
  if (depth === 0) return { pivot: beside, side }
  const neighbour = list?.at(index + side)
  if (neighbour === undefined) return { pivot: undefined, side }
  if (neighbour.inserted.length >= depth) return { pivot: beside, side }
  return { pivot: neighbour, side: side === 1 ? -1 : 1 }
}

interface Insertion {
  readonly list: Elements
  readonly order: number
  readonly index: number
  readonly on: 'left' | 'right'
  readonly text: string
}

/** The list written anew with an element, so that positions are short again. Throws `WARP_E_LIMIT`. */
function straightened(situation: Situation, { list, order, index, on, text }: Insertion): Encodable {
  const values = Array.from(list.from(0), ({ value }) => value)
  values.splice(on === 'left' ? index : index + 1, 0, text)
  const bytes = values.reduce((sum, { length }) => sum + length + ELEMENT_BYTES, 0)
  if (bytes > STRAIGHTENED_BYTES_MAX)
    throw new WarpError(
      'WARP_E_LIMIT',
      `something was inserted into one place of the list ${STEPS_MAX} times, and of ${bytes} bytes it cannot be written anew; copy it to another key`,
      { details: { bytes, limit: STRAIGHTENED_BYTES_MAX } },
    )
  const { untilMs } = situation.state
  return situation.payload({ act: { act: 'push', side: 1, order, values }, replacing: { untilMs } })
}

/** LSET. Throws `WARP_E_LIMIT` beyond the list. */
export function setElement(prepare: Preparing, nowMs: number, index: number, value: string): Made {
  const situation = new Situation(prepare, nowMs)
  const position = elementAt(situation.part('list'), index)
  return situation.payload({ act: { act: 'set', position, value: checkBinary(value) } })
}

/** LPOP, RPOP, LREM, LTRIM: elements go by their indexes, none of them twice. What lies beyond the list is left out. */
export function take(prepare: Preparing, nowMs: number, ...ranges: readonly Range[]): Made {
  const situation = new Situation(prepare, nowMs)
  const list = situation.part('list')
  const positions: Position[] = []
  for (const [index, count] of ranges) {
    let left = count
    for (const element of list?.from(index) ?? []) {
      if (left-- <= 0) break
      positions.push(element)
    }
  }
  return positions.length === 0 ? undefined : situation.removal({ act: 'take', positions }, positions.length)
}

function orderIn(list: Elements | undefined, nowMs: number): number {
  const now = Math.max(0, Math.floor(nowMs))
  return list === undefined ? now : list.nextOrder(now)
}

function elementAt(list: Elements | undefined, index: number): Element {
  const element = list?.at(index)
  if (element !== undefined) return element
  throw new WarpError('WARP_E_LIMIT', `the list has ${list?.size ?? 0} elements, none of index ${index}`, {
    details: { index, size: list?.size ?? 0 },
  })
}

function sideOf(side: 'left' | 'right'): Side {
  const found: Side | undefined = SIDES[side]
  if (found === undefined) throw refused("'left' or 'right' as a side")
  return found
}
