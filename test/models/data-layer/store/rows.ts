/** What a row means to a replica that has a base and operations of its own. */
import { type Vector, covers, dotOf, has, join } from '../vectors.ts'
import { type Base, type Operation, orderMatters } from './folding.ts'
import { type KeyState, type Row, type World, knownOf } from './world.ts'

export interface Merged {
  readonly base: Base
  readonly ops: readonly Operation[]
  /** What the row holds. */
  readonly V: Readonly<Vector>
}

/** The key as it is with this row taken in. */
export function merged(w: World, state: KeyState, row: Row, draft: readonly Operation[] = []): Merged {
  const { value, V, tip, name } = cleaned(w, row)
  const held = knownOf(state)
  const mine = [...state.ops, ...draft]
  const keepsBase = name === state.base.name && covers(held, V) && !covers(V, held) && !isBlind(w, state.base, mine)
  if (keepsBase) return { base: state.base, ops: state.ops, V }
  return { base: { value, V, tip, name }, ops: state.ops.filter((o) => !isIn(w, V, o)), V }
}

/** A row that an outsider has written has a name of its own, and no tip: all that it lacks wins over it. */
export function cleaned(w: World, row: Row): Base {
  if (row.value === row.digest) return row
  const name = w.is('base-numbered') ? String(Number(row.name) + 1) : `o:${row.value ?? ''}:${JSON.stringify(row.V)}`
  return { value: row.value, V: row.V, tip: null, name }
}

/** In rows "not named" means "not contained", also of an id that is pruned. */
export function isIn(w: World, V: Readonly<Vector>, o: Operation): boolean {
  if (w.is('row-silence-means-contained') && w.pruned.has(o.r) && V[o.r] === undefined) return true
  return has(V, o)
}

/** Whether an operation would be put on top of something that its writer had not seen, and that matters. */
export function isBlind(w: World, base: Base, ops: readonly Operation[]): boolean {
  return ops.some((o) => !has(base.V, o) && orderMatters(w.kind, o) && !covers(join(o.context, dotOf(o)), base.V))
}

/** The vector of the next row: an id that may be forgotten is left out. */
export function vectorFor(w: World, V: Readonly<Vector>): Vector {
  return Object.fromEntries(Object.entries(V).filter(([id]) => !w.forgottenIds.has(id)))
}
