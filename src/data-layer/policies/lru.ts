/** Whom nobody has read for longest. Not for scans and loops, which push out what is read again and again. */
import type { CopyPolicy, PolicyFacts } from './policy.ts'
import { NONE, SlotLinks, SlotList } from './slot-list.ts'

export class Lru implements CopyPolicy {
  readonly #links: SlotLinks
  readonly #list: SlotList

  constructor({ entriesMax }: PolicyFacts) {
    this.#links = new SlotLinks(entriesMax + 1)
    this.#list = new SlotList(this.#links)
  }

  added(slot: number): void {
    this.#links.reach(slot)
    this.#list.push(slot)
  }

  hit(slot: number): void {
    this.#list.renew(slot)
  }

  removed(slot: number): void {
    this.#list.unlink(slot)
  }

  victim(kept: number): number | undefined {
    const { oldest } = this.#list
    const slot = oldest === kept ? this.#list.after(kept) : oldest
    return slot === NONE ? undefined : slot
  }
}
