/**
 * Versions of keys, counted forward while the log is read: the version of an operation is one more
 * than that of the operation that its record points back to. Only where reading begins in the
 * middle of a key's chain is the version counted back from the present, once per key. So the work
 * is linear in the operations read, however many belong to one key.
 */
import type { KeyTable, Slot } from '../../keys/key-table.ts'
import type { Log } from '../log.ts'
import type { Meter } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'

/** An operation whose version is asked for. */
export interface Versioned {
  readonly key: string
  readonly slot: Slot
  readonly position: Position
  /** The record that it points back to; 0 if it points at none. */
  readonly previous: Position
}

interface Known {
  position: Position
  version: number
}

/** A count that goes back along a chain from its head, as far as it has come. */
interface Counting {
  readonly position: Position
  at: Position
  version: number
}

export class KeyVersions {
  readonly #log: Log
  readonly #keys: KeyTable
  readonly #known = new Map<string, Known>()
  #counting: Counting | undefined
  /** Records read to count back: for those who want to know what a feed costs. */
  countedBack = 0

  constructor({ log, keys }: { readonly log: Log; readonly keys: KeyTable }) {
    this.#log = log
    this.#keys = keys
  }

  /**
   * The version that an operation made: 0 if it is not part of its key (any more), `undefined` if
   * the step was over first. To be asked in log order, of every operation of a key; after
   * `undefined` with the same operation again.
   */
  at(operation: Versioned, meter: Meter): number | undefined {
    const { key, slot, position, previous } = operation
    const cut = this.#keys.cut[slot]!
    if (position <= cut) return this.#end(0)
    const known = this.#known.get(key)
    if (known !== undefined && known.position === previous && previous > cut) {
      known.position = position
      return ++known.version
    }
    const version = this.#first(operation, cut) ?? this.#countBack(operation, meter)
    if (version === undefined || version === 0) return version
    if (known === undefined) this.#known.set(key, { position, version })
    else {
      known.position = position
      known.version = version
    }
    return version
  }

  /** Forgets all versions. */
  clear(): void {
    this.#known.clear()
    this.#counting = undefined
  }

  /** The version of what begins a chain, as far as that can be told without counting. */
  #first({ slot, position, previous }: Versioned, cut: Position): number | undefined {
    const hasSnapshot = this.#keys.snapshot[slot]! > 0
    if (!hasSnapshot && position === cut + 1) return 1
    // An operation that points nowhere and begins no chain was kept for others: it is not part of
    // the key here.
    return previous === 0 ? 0 : undefined
  }

  #countBack({ slot, position }: Versioned, meter: Meter): number | undefined {
    if (this.#counting?.position !== position) {
      this.#counting = { position, at: this.#keys.head[slot]!, version: this.#keys.version[slot]! }
    }
    const counting = this.#counting
    while (counting.at > position) {
      if (meter.isSpent) return undefined
      meter.spend(1, 0)
      this.countedBack++
      counting.at = this.#log.record(counting.at).previous
      counting.version--
    }
    return this.#end(counting.at === position ? counting.version : 0)
  }

  #end(version: number): number {
    this.#counting = undefined
    return version
  }
}
