/**
 * Virtual time, its timers and its two queues: one for all replicas of a test or a simulation.
 * Timers wait in a binary heap, by due time and then by creation: O(log n) to add and to take; a
 * cancelled one stays in the heap until its time and is skipped.
 */
import type { Timer } from '../../src/ports/env.ts'
import { inLaterTurn, laterTurn } from './event-loop.ts'

/**
 * Turns of the event loop without coming to rest after which a loop that feeds itself is assumed.
 */
const TURNS_MAX = 1_000_000

interface VirtualTimer {
  readonly dueMs: number
  readonly order: number
  callback: (() => void) | undefined
}

export class TimeLine {
  nowMs = 0
  readonly #heap: VirtualTimer[] = []
  #created = 0
  #live = 0
  #deferred: (() => void)[] = []
  #yielded: (() => void)[] = []

  get timerCount(): number {
    return this.#live
  }

  schedule(delayMs: number, callback: () => void): Timer {
    const timer: VirtualTimer = { dueMs: this.nowMs + Math.max(0, delayMs), order: this.#created++, callback }
    this.#live++
    push(this.#heap, timer)
    return {
      cancel: () => {
        if (timer.callback === undefined) return
        timer.callback = undefined
        this.#live--
      },
    }
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback)
    if (this.#deferred.length === 1) inLaterTurn(() => this.#runDeferred())
  }

  yield(): Promise<void> {
    return new Promise((resolve) => {
      this.#yielded.push(resolve)
      if (this.#yielded.length === 1) inLaterTurn(() => this.#runYielded())
    })
  }

  /** `beforeStep` may throw, and time stands still then. */
  async advanceTo(targetMs: number, beforeStep?: () => void): Promise<void> {
    if (!(targetMs >= this.nowMs))
      throw new RangeError(`virtual time is ${this.nowMs} ms and cannot go to ${targetMs} ms`)
    do {
      await this.settle()
      beforeStep?.()
    } while (this.fireNext(targetMs))
    this.nowMs = targetMs
  }

  async advanceToNextTimer(): Promise<boolean> {
    await this.settle()
    const fired = this.fireNext(Infinity)
    if (fired) await this.settle()
    return fired
  }

  /**
   * Fires the earliest timer that is due by `limitMs` and moves time there; `false` if there is
   * none.
   */
  fireNext(limitMs: number): boolean {
    const heap = this.#heap
    for (let first = heap[0]; first !== undefined && first.dueMs <= limitMs; first = heap[0]) {
      pop(heap)
      const { callback } = first
      if (callback === undefined) continue
      first.callback = undefined
      this.#live--
      this.nowMs = Math.max(this.nowMs, first.dueMs)
      callback()
      return true
    }
    return false
  }

  /**
   * One turn of the real event loop drains every promise; another one follows as long as something
   * was left waiting.
   */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      await laterTurn()
      if (this.#deferred.length === 0 && this.#yielded.length === 0) return
    }
    throw new Error(`not idle after ${TURNS_MAX} turns at ${this.nowMs} ms: something defers or yields for ever`)
  }

  #runDeferred(): void {
    const callbacks = this.#deferred
    this.#deferred = []
    for (const callback of callbacks) callback()
  }

  #runYielded(): void {
    const resolvers = this.#yielded
    this.#yielded = []
    for (const resolve of resolvers) resolve()
  }
}

function isEarlier(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
}

function push(heap: VirtualTimer[], timer: VirtualTimer): void {
  let at = heap.push(timer) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isEarlier(timer, heap[parent] as VirtualTimer)) break
    heap[at] = heap[parent] as VirtualTimer
    at = parent
  }
  heap[at] = timer
}

function pop(heap: VirtualTimer[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && isEarlier(heap[child + 1] as VirtualTimer, heap[child] as VirtualTimer)) child++
    if (!isEarlier(heap[child] as VirtualTimer, last)) break
    heap[at] = heap[child] as VirtualTimer
    at = child
  }
  heap[at] = last
}
