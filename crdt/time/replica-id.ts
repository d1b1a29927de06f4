/**
 * A replica id: 64 random bits in 16 lower-case hexadecimal digits, made anew whenever a log is
 * created empty. It stands for one incarnation of a replica, so that a lost disk cannot reuse a
 * dot. String order equals byte order.
 */
import { WarpError } from '../warp-error.ts'

declare const brand: unique symbol
export type ReplicaId = string & { readonly [brand]: 'ReplicaId' }

export const REPLICA_ID_BYTES = 8

const FORM = /^[0-9a-f]{16}$/

/** Checks the form. Throws `WARP_E_PROTOCOL`. */
export function parseReplicaId(text: string): ReplicaId {
  if (!isReplicaId(text)) {
    throw new WarpError('WARP_E_PROTOCOL', 'a replica id is 16 lower-case hexadecimal digits')
  }
  return text
}

export function isReplicaId(value: unknown): value is ReplicaId {
  return typeof value === 'string' && FORM.test(value)
}

/** `bytes` are 8 random bytes. */
export function replicaIdFromBytes(bytes: Uint8Array): ReplicaId {
  return hexOf(bytes.subarray(0, REPLICA_ID_BYTES)) as ReplicaId
}

/** Two lower-case hexadecimal digits for each byte. */
export function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}
