/**
 * The words that the parts of the mesh share. A *member* is one run of one process, named by a
 * random id. A *contact* is a member with whom this one shares session keys, because both have
 * proved to hold the cluster key and to be at their address.
 */
import type { Env, TransportReport } from '../../../src/index.ts'
import type { Endpoint } from '../sockets/network.ts'

/** 16 hexadecimal digits, made at random whenever a mesh transport is opened. */
export type MemberId = string

/**
 * What a member says of itself; authenticated. Zone: at most 64 bytes; roles: at most 8 of 32
 * bytes.
 */
export interface MemberProfile {
  readonly member: MemberId
  readonly zone: string
  readonly roles: readonly string[]
}

/** One per member; the same object for as long as the member is in contact, over rekeying. */
export interface Contact {
  readonly profile: MemberProfile
  /** Where it proved to be. */
  readonly endpoint: Endpoint
  /** `endpoint` as text: the engine's `PeerAddress`. */
  readonly address: string
}

/** Time, timers and randomness of the mesh, by default the platform's. */
export type MeshClock = Pick<Env, 'now' | 'monotonic' | 'schedule' | 'defer' | 'random'>

/** `host:port`, IPv6 in brackets. */
export function addressOf({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export interface ContactEvents {
  onContact(contact: Contact): void
  /** The receiver may keep `bytes`. */
  onPayload(contact: Contact, bytes: Uint8Array): void
  onLost(contact: Contact, why: 'replaced' | 'dropped'): void
  onUnanswered(endpoint: Endpoint): void
  onReport(report: TransportReport): void
  /** A member that we have no contact with has announced itself from there. */
  onAnnounced(from: Endpoint): void
}
