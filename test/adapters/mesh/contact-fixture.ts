/** Members with contacts, and nothing above them, on the fake network and a virtual clock. */
import { clusterKeys, type ClusterKeys } from '../../../adapters/mesh/handshake/cluster-keys.ts'
import type { Contact } from '../../../adapters/mesh/contacts/contact.ts'
import { Contacts } from '../../../adapters/mesh/contacts/contacts.ts'
import { hexOf } from '../../../adapters/mesh/hex.ts'
import type { Endpoint } from '../../../adapters/mesh/sockets/network.ts'
import { MESH_VERSIONS, type Versions } from '../../../adapters/mesh/handshake/versions.ts'
import { Refusals } from '../../../adapters/mesh/contacts/refusals.ts'
import type { TransportReport } from '../../../src/index.ts'
import { FakeMeshNetwork, type FakeMeshNetworkOptions } from '../../support/fake-mesh-network.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'

export const PORT = 7946
export const KEY_TEXT = '4f5d0c2b9a8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a392817065544'
export const OTHER_KEY_TEXT = '00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef'
export const KEYS: ClusterKeys = clusterKeys(KEY_TEXT, 'warp')

/** A datagram, as it was on the wire. */
export interface Sent {
  readonly from: Endpoint
  readonly to: Endpoint
  readonly bytes: Uint8Array
}

export interface ContactWorld {
  readonly env: VirtualEnv
  readonly network: FakeMeshNetwork
  readonly wire: Sent[]
}

export function contactWorld(settings: Omit<FakeMeshNetworkOptions, 'clock'> = {}): ContactWorld {
  const env = virtualEnv({ seed: settings.seed ?? 1 })
  const network = new FakeMeshNetwork({ clock: env, delayMs: 1, ...settings })
  const wire: Sent[] = []
  network.onWire = (from, to, bytes) => void wire.push({ from, to, bytes })
  return { env, network, wire }
}

export interface MemberSettings {
  readonly host: string
  readonly keys?: ClusterKeys
  readonly versions?: Versions
  readonly zone?: string
  readonly roles?: readonly string[]
}

export class ContactMember {
  readonly endpoint: Endpoint
  readonly contacts: Contacts
  readonly received: { readonly from: Contact; readonly bytes: Uint8Array }[] = []
  readonly met: Contact[] = []
  readonly lost: { readonly contact: Contact; readonly why: string }[] = []
  readonly unanswered: Endpoint[] = []
  readonly announced: Endpoint[] = []
  readonly reports: TransportReport[] = []

  constructor({ env, network }: ContactWorld, settings: MemberSettings) {
    const { host, keys = KEYS, versions = MESH_VERSIONS, zone = '', roles = [] } = settings
    this.endpoint = { host, port: PORT }
    const clock = env.fork({ label: `${host} ${env.now()}` })
    const report = (one: TransportReport): void => void this.reports.push(one)
    this.contacts = new Contacts({
      network: network.machine(host),
      clock,
      keys,
      versions,
      self: { member: hexOf(clock.random(8)), zone, roles },
      bind: this.endpoint,
      refusals: new Refusals({ clock, report }),
      datagramBytesMax: 1200,
      events: {
        onContact: (contact) => this.met.push(contact),
        onPayload: (from, bytes) => void this.received.push({ from, bytes }),
        onLost: (contact, why) => void this.lost.push({ contact, why }),
        onUnanswered: (endpoint) => void this.unanswered.push(endpoint),
        onReport: report,
        onAnnounced: (from) => void this.announced.push(from),
      },
    })
  }

  /** Its contact at `other`. */
  with(other: ContactMember): Contact {
    const contact = this.contacts.at(other.endpoint)
    if (contact === undefined) throw new Error('there is no such contact')
    return contact
  }
}

export async function openMember(world: ContactWorld, settings: MemberSettings): Promise<ContactMember> {
  const member = new ContactMember(world, settings)
  await member.contacts.open()
  return member
}

/** Two members in contact; `a` has greeted. */
export async function pair(world: ContactWorld): Promise<{ readonly a: ContactMember; readonly b: ContactMember }> {
  const a = await openMember(world, { host: '10.0.0.1', zone: 'east' })
  const b = await openMember(world, { host: '10.0.0.2', zone: 'west', roles: ['writer'] })
  a.contacts.greet(b.endpoint)
  await world.env.advance(100)
  return { a, b }
}
