/** The keys that `engine-writer-process.ts` writes and the test reads. */
import { counter, register } from '../../crdt/index.ts'

export const KEYS = { 'k:*': register<number>(), 'c:*': counter() }

export const REGISTERS_COUNT = 8
export const COUNTERS_COUNT = 4
