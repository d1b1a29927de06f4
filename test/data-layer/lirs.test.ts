/** The policy `adaptive` against LIRS as its paper tells it: one stack of keys, cut off below the eldest settled one. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runs } from '../../property-tests/seed.ts'
import { hashOf } from '../../src/data-layer/policies/frequency-sketch.ts'
import { Lirs } from '../../src/data-layer/policies/lirs.ts'

const SETTLED_SHARE = 0.99
/** Of a policy that has never grown. */
const GONE_PLACES = 32
const KEYS = Array.from({ length: 60 }, (_, at) => `key ${at}`)

class PaperLirs {
  /** The last to be read at the end: settled, passing and gone keys. */
  #stack: string[] = []
  #settled = new Set<string>()
  #passing: string[] = []
  readonly #gone = new Map<number, string>()

  get keys(): string[] {
    return [...this.#settled, ...this.#passing]
  }

  added(key: string): void {
    const most = Math.floor(this.keys.length * SETTLED_SHARE)
    const wasGone = this.#gone.get(placeOf(key)) === key
    const isKnown = wasGone && this.#stack.includes(key)
    if (wasGone) this.#gone.delete(placeOf(key))
    this.#raise(key)
    this.#place(key, isKnown, most)
  }

  hit(key: string): void {
    const isKnown = this.#stack.includes(key)
    this.#raise(key)
    if (this.#settled.has(key)) {
      this.#cut()
      return
    }
    this.#passing = this.#passing.filter((other) => other !== key)
    const most = Math.floor(this.keys.length * SETTLED_SHARE)
    this.#place(key, isKnown, isKnown ? most : 0)
  }

  removed(key: string): void {
    if (this.#settled.delete(key)) {
      this.#drop(key)
      this.#cut()
      return
    }
    this.#passing = this.#passing.filter((other) => other !== key)
    if (!this.#stack.includes(key)) return
    const overwritten = this.#gone.get(placeOf(key))
    if (overwritten !== undefined) this.#drop(overwritten)
    this.#gone.set(placeOf(key), key)
  }

  victim(kept: string): string | undefined {
    const settled = this.#stack.filter((key) => this.#settled.has(key))
    return [...this.#passing, ...settled].find((key) => key !== kept)
  }

  /** Where there is no room for one more settled key, in the place of the eldest. */
  #place(key: string, isKnown: boolean, settledMax: number): void {
    const isRoom = this.#settled.size < settledMax
    if (!isRoom && !isKnown) return void this.#passing.push(key)
    this.#settled.add(key)
    this.#cut()
    if (isRoom) return
    const eldest = this.#stack.find((other) => this.#settled.has(other)) as string
    this.#settled.delete(eldest)
    this.#passing.push(eldest)
    this.#cut()
  }

  #raise(key: string): void {
    this.#drop(key)
    this.#stack.push(key)
  }

  #drop(key: string): void {
    this.#stack = this.#stack.filter((other) => other !== key)
  }

  #cut(): void {
    const eldest = this.#stack.findIndex((key) => this.#settled.has(key))
    this.#stack = eldest === -1 ? [] : this.#stack.slice(eldest)
  }
}

function placeOf(key: string): number {
  return (hashOf(key) >>> 0) % GONE_PLACES
}

test('lets the same copies go as the stack of the paper, whatever is read and dropped', () => {
  const step = fc.record({ key: fc.nat(KEYS.length - 1), isDropped: fc.nat(9).map((drawn) => drawn === 0) })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(step, { maxLength: 400 }), (entriesMax, steps) => {
      const policy = new Lirs({ entriesMax, isWorthless: () => false })
      const paper = new PaperLirs()
      const there = new Set<number>()
      const remove = (slot: number): void => {
        there.delete(slot)
        policy.removed(slot)
        paper.removed(KEYS[slot] as string)
      }
      for (const { key: slot, isDropped } of steps) {
        const key = KEYS[slot] as string
        if (!there.has(slot)) {
          there.add(slot)
          policy.added(slot, key)
          paper.added(key)
        } else if (isDropped) remove(slot)
        else {
          policy.hit(slot)
          paper.hit(key)
        }
        while (there.size > entriesMax) {
          const victim = policy.victim(slot) as number
          expect(KEYS[victim]).toBe(paper.victim(key))
          remove(victim)
        }
      }
      expect(paper.keys.sort()).toEqual([...there].map((slot) => KEYS[slot]).sort())
    }),
    runs(500),
  )
})
