/** The elements of a list, in the order of their positions (`positions.ts`). */
import type { Stamp } from '../time/hlc.ts'
import { Ordered } from './ordered.ts'
import { comparePositions, type Position, type Step } from './positions.ts'

export interface Element extends Position {
  value: string
  /** That of the operation that put it in. */
  readonly stamp: Stamp
  /** That of the operation that set its value. */
  setStamp: Stamp
}

export class Elements {
  readonly order: Ordered<Position> = new Ordered<Position>(comparePositions)
  #orderMax = 0

  get size(): number {
    return this.order.size
  }

  /** Greater than that of any element that has been here. */
  nextOrder(nowMs: number): number {
    return Math.max(nowMs, this.#orderMax + 1)
  }

  at(index: number): Element | undefined {
    return this.order.at(index) as Element | undefined
  }

  find(position: Position): Element | undefined {
    return this.order.find(position) as Element | undefined
  }

  from(index: number): Generator<Element, void> {
    return this.order.from(index) as Generator<Element, void>
  }

  backFrom(index: number): Generator<Element, void> {
    return this.order.backFrom(index) as Generator<Element, void>
  }

  indexOf(position: Position): number {
    return this.order.rankOf((other) => comparePositions(other, position) < 0)
  }

  add(element: Element): void {
    this.#note(element)
    for (const step of element.inserted) this.#note(step)
    this.order.add(element)
  }

  remove(position: Position): void {
    this.order.remove(position)
  }

  #note({ order }: Step): void {
    if (order > this.#orderMax) this.#orderMax = order
  }
}
