/** The keys that the replicas of a chaos run write. */
import { counter, custom, set } from '../../crdt/index.ts'

/** Keys of each pattern: few enough to be hot, many enough for short histories. */
export const KEYS_COUNT = 40

export const KEYS = {
  /** Every line once, in an order that is the same everywhere. Shows a write that counts twice. */
  'note:*': custom<string[], string>((lines, line) => [...lines, line], { initial: [] }),
  'cart:*': set<string>(),
  /** Compacted. One counter for each life of a process: between the acknowledged and the tried. */
  'count:*': { strategy: counter(), retain: 'latest' },
} as const
