/** What is said of a wait for other replicas that has taken too long: how many hold it, who does not. */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { ReplicaAcks } from '../../store/write-road/acknowledgement.ts'
import type { Dot } from '../../../crdt/time/dot.ts'

/** Another replica that takes part. */
export interface Member {
  readonly replica: ReplicaId
  /** Empty if it has none, or has not been heard. */
  readonly name: string
}

export interface Held {
  readonly replicas: number
  readonly zones: number
  /** Members that do not hold it, as far as they have said. */
  readonly missing: readonly Member[]
}

/** Members that are named in a message. */
const NAMED_MAX = 8

/**
 * `WARP_E_QUORUM`, or `WARP_E_ZONES` where enough replicas hold it in too few zones. The operation
 * stands, so the outcome is `indeterminate`.
 */
export function notEnough(dot: Dot, acks: ReplicaAcks, held: Held): WarpError {
  const { replicas, zones = 1, timeoutMs } = acks
  const isZones = held.replicas >= replicas
  const reached = isZones
    ? `replicas in ${held.zones} of ${zones} zones hold the operation`
    : `${held.replicas} of ${replicas} replicas hold the operation`
  return new WarpError(
    isZones ? 'WARP_E_ZONES' : 'WARP_E_QUORUM',
    `${reached} after ${timeoutMs} ms; ${missingText(held.missing, isZones)}; the operation stays in this log and is ` +
      'sent to replicas as they appear: ask again with settled(), or ask for less',
    {
      details: { replica: dot.replica, sequence: dot.sequence, replicas: held.replicas, zones: held.zones },
      outcome: 'indeterminate',
    },
  )
}

function missingText(missing: readonly Member[], isZones: boolean): string {
  if (missing.length === 0) return isZones ? 'all known replicas hold it' : 'no further replica is known'
  const named = missing.slice(0, NAMED_MAX).map(({ name, replica }) => (name === '' ? replica.slice(0, 8) : name))
  const more = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : ''
  return `missing: ${named.join(', ')}${more}`
}
