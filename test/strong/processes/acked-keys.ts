/** The keys of `acks-process.ts`. */
import { register } from '../../../crdt/index.ts'

export const ACKED_KEYS = {
  'stock:*': { strategy: register<number>(), mode: 'strong' },
  'order:*': register<number>(),
} as const

export type AckedKey = `stock:${number}` | `order:${number}`
