/** Sorting in steps: runs of some thousand items are sorted, and then merged two by two. */

/** A step sorts so many, or merges them. */
const PER_STEP = 4096

/** Sorts items, of which no two are equal, in their array. Yields where a step may end. */
export function* sortedSteps<Item>(
  items: Item[],
  isBefore: (a: Item, b: Item) => boolean,
): Generator<undefined, Item[]> {
  const compare = (a: Item, b: Item): number => (isBefore(a, b) ? -1 : 1)
  if (items.length <= PER_STEP) return items.sort(compare)
  let source: Item[] = []
  for (let from = 0; from < items.length; from += PER_STEP) {
    for (const item of items.slice(from, from + PER_STEP).sort(compare)) source.push(item)
    yield undefined
  }
  for (let length = PER_STEP; length < items.length; length *= 2) {
    const merged: Item[] = []
    for (let from = 0; from < source.length; from += 2 * length)
      yield* merge({ source, from, length }, isBefore, merged)
    source = merged
  }
  return source
}

/** Two neighbouring runs. */
interface Runs<Item> {
  readonly source: readonly Item[]
  readonly from: number
  /** Of each; the second one may be shorter. */
  readonly length: number
}

function* merge<Item>(
  { source, from, length }: Runs<Item>,
  isBefore: (a: Item, b: Item) => boolean,
  merged: Item[],
): Generator<undefined, void> {
  const middle = Math.min(from + length, source.length)
  const to = Math.min(middle + length, source.length)
  let [left, right] = [from, middle]
  while (left < middle || right < to) {
    const isLeft = right >= to || (left < middle && isBefore(source[left] as Item, source[right] as Item))
    merged.push(source[isLeft ? left++ : right++] as Item)
    if (merged.length % PER_STEP === 0) yield undefined
  }
}
