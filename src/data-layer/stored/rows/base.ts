/** A row of the store as the engine sees it: a value, and the operations that are in it. */
import type { Stamp } from '../../../../crdt/time/hlc.ts'
import { VersionVector } from '../../../../crdt/time/version-vector.ts'
import type { ReplicaTable } from '../../../operation/replica-table.ts'
import type { StoreCodec, StoreRow } from '../../../ports/primary-store.ts'
import { digestOf } from './digest.ts'
import { decodeMeta } from './row-meta.ts'

export interface Base {
  readonly value: unknown
  readonly vector: VersionVector
  /** The greatest operation in it, of a register; absent where an outsider has written: all that it lacks wins. */
  readonly tip: Stamp | undefined
  readonly name: string
}

/** Of rows that nobody has made yet. */
const FIRST_NAME = '0'.repeat(32)
/** Unlike that of any value, so that an outsider who makes an empty one of it is seen. */
const NO_VALUE = 'f'.repeat(32)
const ENCODER = new TextEncoder()

/** Throws `WARP_E_STORE` for a row that this version cannot read. */
export function baseOf(
  key: string,
  row: StoreRow | undefined,
  { codec, table }: { readonly codec: StoreCodec; readonly table: ReplicaTable },
): Base {
  if (row === undefined) return { value: undefined, vector: new VersionVector(), tip: undefined, name: FIRST_NAME }
  const value = row.value === undefined ? undefined : codec.decode(row.value)
  const digest = valueDigest(row.value)
  if (row.meta.length === 0)
    return { value, vector: new VersionVector(), tip: undefined, name: outsidersName(digest, '') }
  const { vector, name, tip, digest: written } = decodeMeta(key, row.meta, table)
  if (written === digest) return { value, vector, tip, name }
  return { value, vector, tip: undefined, name: outsidersName(digest, vector.sorted().join()) }
}

export function valueDigest(value: Uint8Array | undefined): string {
  return value === undefined ? NO_VALUE : digestOf(value)
}

/** Of what an outsider has made: whoever finds the same there gives it the same name. */
function outsidersName(digest: string, vector: string): string {
  return digestOf(ENCODER.encode(`outsider ${digest} ${vector}`))
}
