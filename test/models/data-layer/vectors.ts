/** Dots and version vectors: what was seen of whom. An id that a vector does not name was not seen at all. */
export interface Dot {
  readonly r: string
  readonly s: number
}

export type Vector = Record<string, number>

export const has = (v: Readonly<Vector>, d: Dot): boolean => (v[d.r] ?? 0) >= d.s

export function covers(a: Readonly<Vector>, b: Readonly<Vector>): boolean {
  for (const r in b) if ((a[r] ?? 0) < b[r]!) return false
  return true
}

export function raise(v: Vector, d: Dot): void {
  if ((v[d.r] ?? 0) < d.s) v[d.r] = d.s
}

export function joinInto(a: Vector, b: Readonly<Vector>): Vector {
  for (const r in b) if ((a[r] ?? 0) < b[r]!) a[r] = b[r]!
  return a
}

export const join = (a: Readonly<Vector>, b: Readonly<Vector>): Vector => joinInto({ ...a }, b)

export function sum(v: Readonly<Vector>): number {
  let n = 0
  for (const r in v) n += v[r]!
  return n
}

export const dotOf = (o: Dot): Vector => ({ [o.r]: o.s })

/** Causal delivery: whether all that the writer had seen is here, and this is the writer's next. */
export function isNext(applied: Readonly<Vector>, o: Dot & { readonly context: Readonly<Vector> }): boolean {
  if ((applied[o.r] ?? 0) !== o.s - 1) return false
  for (const r in o.context) if (r !== o.r && (applied[r] ?? 0) < o.context[r]!) return false
  return true
}
