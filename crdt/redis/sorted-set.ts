/**
 * A sorted set: members with a score each (`cell.ts`), by name, and in the order of score and then
 * name. The order is made for the first one who asks for it, and kept from then on.
 */
import { emptyCell, isEmptyCell, scoreOf, type Cell } from './cell.ts'
import { Ordered } from './ordered.ts'
import { Table, type Placed } from './table.ts'

export interface ScoredMember extends Placed {
  readonly cell: Cell<number>
  score: number
}

export class SortedSet {
  readonly table: Table<ScoredMember> = new Table<ScoredMember>()
  #order: Ordered<ScoredMember> | undefined

  /** The members by score, those of one score by name. */
  get order(): Ordered<ScoredMember> {
    if (this.#order !== undefined) return this.#order
    const order = new Ordered<ScoredMember>(compareMembers)
    for (const member of [...this.table.entries()].sort(compareMembers)) order.add(member)
    return (this.#order = order)
  }

  /** Changes what the score is made of, and takes the member out if nothing is left of it. */
  change(name: string, change: (cell: Cell<number>) => void): void {
    const known = this.table.get(name)
    const member = known ?? { name, place: 0, cell: emptyCell<number>(), score: 0 }
    if (known !== undefined) this.#order?.remove(known)
    change(member.cell)
    if (isEmptyCell(member.cell)) {
      if (known !== undefined) this.table.remove(known)
      return
    }
    member.score = scoreOf(member.cell) ?? 0
    if (known === undefined) this.table.add(member)
    this.#order?.add(member)
  }
}

function compareMembers(a: ScoredMember, b: ScoredMember): number {
  if (a.score !== b.score) return a.score - b.score
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
