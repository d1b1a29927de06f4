/** Folding: a base, which is what a row of the store holds, and on top of it the operations that it does not cover. */
import { type Key } from '../keys.ts'
import { type Dot, type Vector, has, raise } from '../vectors.ts'

export const KINDS = ['register', 'counter', 'set', 'custom'] as const
export type Kind = (typeof KINDS)[number]
export type Value = string | number | undefined

export interface Operation extends Dot {
  /** A write, a delete, an invalidation, or the number of a write that the store refused. */
  kind: 'write' | 'delete' | 'invalidate' | 'void'
  readonly key: Key | undefined
  readonly stamp: number
  readonly context: Vector
  readonly payload: Value
  /** Takes an element out of a set. */
  readonly removes: boolean
  readonly target: string
  /** Ghost, of an invalidation: how long the history of each key was. */
  readonly ghost: Readonly<Record<Key, number>>
}

export interface Tip extends Dot {
  readonly stamp: number
}

export interface Base {
  readonly value: Value
  readonly V: Readonly<Vector>
  readonly tip: Tip | null
  /** The name of the base. Nothing: the key was not loaded since it was last let go of, so what lies beneath is unknown. */
  readonly name: string | null
}

export const GENESIS: Base = { value: undefined, V: {}, tip: null, name: '0' }
export const UNKNOWN: Base = { value: undefined, V: {}, tip: null, name: null }

export const isWrite = (o: Operation): boolean => o.kind === 'write' || o.kind === 'delete'

export const byStamp = (a: Tip, b: Tip): number => a.stamp - b.stamp || (a.r < b.r ? -1 : a.r > b.r ? 1 : a.s - b.s)

const tipOf = ({ stamp, r, s }: Tip): Tip => ({ stamp, r, s })

/** Whether putting the operation on top of something that its writer had not seen may differ from its own place. */
export const orderMatters = (kind: Kind, o: Operation): boolean =>
  kind === 'custom' || (kind !== 'register' && (o.kind === 'delete' || o.removes))

export function fold(kind: Kind, base: Base, operations: readonly Operation[]): Base {
  const on = operations.filter((o) => !has(base.V, o)).sort(byStamp)
  const V = { ...base.V }
  for (const o of on) raise(V, o)
  const top = FOLDS[kind](base, on)
  return { ...top, V, name: base.name }
}

type Top = Pick<Base, 'value' | 'tip'>

const FOLDS: Readonly<Record<Kind, (base: Base, on: readonly Operation[]) => Top>> = {
  register: (base, on) => {
    let { value, tip } = base
    for (const o of on) {
      if (tip !== null && byStamp(tip, o) > 0) continue
      tip = tipOf(o)
      value = o.kind === 'delete' ? undefined : o.payload
    }
    return { value, tip }
  },
  custom: ({ value: below, tip }, on) => {
    let value = below
    for (const o of on) value = o.kind === 'delete' ? undefined : String(value ?? '') + String(o.payload)
    return { value, tip }
  },
  // Deletes and removes cancel what they have seen; a base counts as seen.
  counter: ({ value: below, tip }, on) => {
    const deletes = on.filter((o) => o.kind === 'delete')
    let value = deletes.length > 0 ? undefined : below
    for (const o of on) if (o.kind === 'write' && !cancelled(o, deletes)) value = Number(value ?? 0) + Number(o.payload)
    return { value, tip }
  },
  set: ({ value: below, tip }, on) => {
    const cancels = on.filter((o) => o.kind === 'delete' || o.removes)
    let elements = below === undefined || below === '' ? [] : String(below).split(',')
    for (const c of cancels) elements = c.kind === 'delete' ? [] : elements.filter((x) => x !== c.payload)
    for (const o of on) {
      const relevant = cancels.filter((c) => c.kind === 'delete' || c.payload === o.payload)
      if (o.kind === 'write' && !o.removes && !cancelled(o, relevant)) elements.push(String(o.payload))
    }
    return { value: elements.length === 0 ? undefined : [...new Set(elements)].sort().join(','), tip }
  },
}

const cancelled = (o: Operation, cancels: readonly Operation[]): boolean => cancels.some((c) => has(c.context, o))
