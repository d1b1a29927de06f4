/** What the replicas of a test write, drawn from a seed: the child writes it, the parent works out what must come of it. */
import { seededRandom } from '../../../testing/world/random.ts'

export type ReplicaWrite =
  | { readonly kind: 'increment'; readonly key: `count:${number}`; readonly amount: number }
  | { readonly kind: 'add'; readonly key: `cart:${number}`; readonly element: string }
  | { readonly kind: 'append'; readonly key: `note:${number}`; readonly line: string }

export interface Writes {
  /** Unique: it is part of the elements and lines. */
  readonly writer: string
  readonly seed: number
  readonly count: number
}

export function replicaWrites({ writer, seed, count }: Writes): ReplicaWrite[] {
  const random = seededRandom(`${seed} ${writer}`)
  return Array.from({ length: count }, (_, i): ReplicaWrite => {
    const number = random.below(5)
    switch (random.below(3)) {
      case 0:
        return { kind: 'increment', key: `count:${number}`, amount: random.between(1, 9) }
      case 1:
        return { kind: 'add', key: `cart:${number}`, element: `${writer} ${i}` }
      default:
        return { kind: 'append', key: `note:${number}`, line: `${writer} ${i}` }
    }
  })
}

/** Key → value, sorted: counters are sums, sets hold every element, notes every line in an order that is the same everywhere. */
export type Values = readonly (readonly [key: string, value: unknown])[]

/** The exact values of everything whose order does not matter, and notes as sorted lines. */
export function expectedValues(all: readonly Writes[]): Values {
  const values = new Map<string, number | string[]>()
  for (const write of all.flatMap(replicaWrites)) {
    if (write.kind === 'increment') values.set(write.key, ((values.get(write.key) ?? 0) as number) + write.amount)
    else {
      const list = (values.get(write.key) ?? []) as string[]
      values.set(write.key, [...list, write.kind === 'add' ? write.element : write.line])
    }
  }
  return sortedValues([...values])
}

/** Sets and notes in the order of their texts. */
export function sortedValues(values: Values): Values {
  return values
    .map(([key, value]): [string, unknown] => [key, Array.isArray(value) ? (value as string[]).toSorted() : value])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
}
