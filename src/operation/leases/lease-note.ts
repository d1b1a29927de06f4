/**
 * Operations of leases: groups of keys that fall together. They belong to no key's chain; the name of
 * the lease stands in the place of the key.
 *
 *     grant  = ttlMs:varint             the lease begins, and its writer owns it
 *     attach = of:u8 target:utf8        0: a key, 1: a pattern
 *     renew  = nothing                  by the owner: it has its whole time before it again
 *     revoke = nothing                  it has ended, by somebody's word
 *     expire = nothing                  it has ended, for it was not renewed in time
 *
 * How long a lease has left is in no operation: each replica reckons that on a clock that only goes
 * forward (src/data-layer/leases).
 */
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { LIFE_MS_MAX } from '../../limits.ts'
import { ByteReader } from '../byte-reader.ts'
import { OPERATION_KIND } from '../envelope/kinds.ts'
import type { OperationReader } from '../envelope/operation-reader.ts'
import { textOf } from '../text.ts'

/** How a lease is called: 16 hexadecimal digits, drawn by who grants it. */
export type LeaseId = string

export const LEASE_ID_BYTES = 8

/** Why a lease has ended. */
export type LeaseEndReason = 'revoked' | 'expired'

/** What falls with a lease. */
export interface LeaseTarget {
  readonly of: 'key' | 'pattern'
  readonly target: string
}

/** What one operation says of a lease. */
export type LeaseNote =
  | { readonly kind: 'grant'; readonly lease: LeaseId; readonly ttlMs: number }
  | ({ readonly kind: 'attach'; readonly lease: LeaseId } & LeaseTarget)
  | { readonly kind: 'renew'; readonly lease: LeaseId }
  | { readonly kind: 'end'; readonly lease: LeaseId; readonly reason: LeaseEndReason }

/** One that has become known here. */
export type EnteredLeaseNote = LeaseNote & { readonly dot: Dot }

const ID_FORM = /^[0-9a-f]{16}$/
const TARGETS: readonly LeaseTarget['of'][] = ['key', 'pattern']

export function isLeaseId(value: unknown): value is LeaseId {
  return typeof value === 'string' && ID_FORM.test(value)
}

/** The operation that says it: its kind and its payload. */
export function leaseOperation(note: LeaseNote): { readonly kind: number; readonly payload: Uint8Array } {
  const writer = new ByteWriter()
  switch (note.kind) {
    case 'grant':
      writer.varint(note.ttlMs)
      return { kind: OPERATION_KIND.leaseGrant, payload: writer.take() }
    case 'attach':
      writer.u8(TARGETS.indexOf(note.of))
      writer.utf8(note.target)
      return { kind: OPERATION_KIND.leaseAttach, payload: writer.take() }
    case 'renew':
      return { kind: OPERATION_KIND.leaseRenew, payload: writer.take() }
    case 'end': {
      const kind = note.reason === 'revoked' ? OPERATION_KIND.leaseRevoke : OPERATION_KIND.leaseExpire
      return { kind, payload: writer.take() }
    }
  }
}

/**
 * What an operation says of a lease; `undefined` if nothing. Throws `WARP_E_PROTOCOL` if it is
 * malformed: the border asks, so what is in a log is well formed.
 */
export function leaseNoteIn(operation: OperationReader): LeaseNote | undefined {
  const { kind, bytes, keyStart, keyEnd, payloadStart, end } = operation
  if (kind < OPERATION_KIND.leaseGrant || kind > OPERATION_KIND.leaseExpire) return undefined
  const reader = new ByteReader(bytes, payloadStart, end)
  const lease = textOf(bytes, keyStart, keyEnd)
  if (!isLeaseId(lease)) throw reader.malformed('a lease with a name that is none')
  switch (kind) {
    case OPERATION_KIND.leaseGrant: {
      const ttlMs = reader.varint()
      if (ttlMs < 1 || ttlMs > LIFE_MS_MAX) throw reader.malformed(`a lease of ${ttlMs} ms`)
      reader.mustBeAtEnd()
      return { kind: 'grant', lease, ttlMs }
    }
    case OPERATION_KIND.leaseAttach: {
      const of = TARGETS[reader.u8()]
      if (of === undefined || reader.isAtEnd) throw reader.malformed('an attachment of nothing')
      return { kind: 'attach', lease, of, target: textOf(bytes, reader.at, end) }
    }
    case OPERATION_KIND.leaseRenew:
      reader.mustBeAtEnd()
      return { kind: 'renew', lease }
    default:
      reader.mustBeAtEnd()
      return { kind: 'end', lease, reason: kind === OPERATION_KIND.leaseRevoke ? 'revoked' : 'expired' }
  }
}
