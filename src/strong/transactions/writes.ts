/**
 * What a transaction is going to write: one write of each key. A delete, and what is set in a
 * register, take the place of an earlier write of their key, for nothing of that would be left.
 */
import { decode, encode } from '../../../crdt/encoding/encoding.ts'
import { toPayload } from '../../../crdt/encoding/payload.ts'
import { copyLoose, shared } from '../../../crdt/encoding/shared-value.ts'
import { isRegister } from '../../../crdt/register.ts'
import type { Verb } from '../../../crdt/strategy.ts'
import type { Target } from '../../store/write-road/target.ts'
import { copiesOf } from '../../store/write-road/write-in-steps.ts'
import { expectedBehindWrite, readBehindVerb, writtenTwice } from './refusals.ts'

export interface Written {
  readonly target: Target
  /** Absent: the key is deleted. */
  readonly verb?: Verb<unknown>
  readonly parameters: readonly unknown[]
  /** 0: as the key's pattern says. */
  readonly lifeMs: number
}

/** The transaction has not written the key. */
export const UNWRITTEN: unique symbol = Symbol('unwritten')

export class Writes {
  readonly #byKey = new Map<string, Written>()

  get list(): readonly Written[] {
    return [...this.#byKey.values()]
  }

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  /** Throws `WARP_E_MODE` for a second write that needs the first one, `WARP_E_UNENCODABLE`. */
  add({ target, verb, parameters, lifeMs }: Written): void {
    const { key, keyspace } = target
    const isPlain = isRegister(keyspace.strategy)
    if (verb !== undefined && !isPlain && this.#byKey.has(key)) throw writtenTwice(target)
    // What the caller changes afterwards of what was given is not written.
    const given = isPlain && verb !== undefined ? [normal(parameters[0])] : copiesOf(parameters)
    this.#byKey.set(key, { target, ...(verb === undefined ? {} : { verb }), parameters: given, lifeMs })
  }

  /** The value that the transaction has given the key. Throws `WARP_E_MODE` if a verb decides that. */
  valueOf(key: string): unknown {
    const written = this.#byKey.get(key)
    if (written === undefined) return UNWRITTEN
    if (written.verb === undefined) return undefined
    if (isRegister(written.target.keyspace.strategy)) return copyLoose(written.parameters[0])
    throw readBehindVerb(written.target)
  }

  /** Throws `WARP_E_MODE` for a key that has been written. */
  assertUnwritten(key: string): void {
    if (this.#byKey.has(key)) throw expectedBehindWrite(key)
  }
}

/** As it will be read. */
function normal(value: unknown): unknown {
  return shared(decode(encode(toPayload(value, 'set'))))
}
