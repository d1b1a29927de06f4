/** A member as the mesh shows it, and as the engine sees a peer. */
import type { TransportPeer } from '../../../src/index.ts'
import { addressOf } from '../contacts/contact.ts'
import type { MemberView } from './swim.ts'

export interface MeshMember {
  /** 16 hexadecimal digits; another one whenever the member starts. */
  readonly member: string
  readonly address: string
  /** `'left'`: it has said goodbye. */
  readonly state: MemberView['state']
  readonly zone: string
  readonly roles: readonly string[]
  /** Absent until they have been measured. */
  readonly roundTripMs?: number
  /** Its wall clock minus ours. */
  readonly clockSkewMs?: number
}

export function memberOf(view: MemberView): MeshMember {
  const { profile, endpoint, state, roundTripMs, clockSkewMs } = view
  return {
    member: profile.member,
    address: addressOf(endpoint),
    state,
    zone: profile.zone,
    roles: profile.roles,
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
    ...(clockSkewMs === undefined ? {} : { clockSkewMs }),
  }
}

/**
 * One for each address: where a process was started again, the member that is there now. Those that
 * have left are not listed.
 */
export function peersOf(members: readonly MeshMember[], queuedBytesOf: (address: string) => number): TransportPeer[] {
  const peers = new Map<string, TransportPeer>()
  for (const { member: _, state, zone, ...rest } of members) {
    const { address } = rest
    if (state === 'left' || (state === 'down' && peers.has(address))) continue
    peers.set(address, {
      ...rest,
      state: state === 'alive' ? 'up' : state,
      ...(zone === '' ? {} : { zone }),
      queuedBytes: queuedBytesOf(address),
    })
  }
  return [...peers.values()]
}
