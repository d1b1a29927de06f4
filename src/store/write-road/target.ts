import type { Slot } from '../../keys/key-table.ts'
import type { Keyspace } from '../../keys/keyspace.ts'

/** The key that a call is about. `slot` is undefined while the key does not exist. */
export interface Target {
  readonly key: string
  readonly keyspace: Keyspace
  readonly slot: Slot | undefined
}

/** The key has to be folded first, and takes more than one step. */
export class FoldFirst extends Error {
  readonly key: string

  constructor(key: string) {
    super(`'${key}' has to be folded in steps`)
    this.key = key
  }
}
