/** Members with streams on the fake network and a virtual clock. Every two of them share one session, as if they had shaken hands. */
import { type Contact, addressOf } from '../../../adapters/mesh/contacts/contact.ts'
import type { StreamSecret } from '../../../adapters/mesh/contacts/contacts.ts'
import type { ByteStream, Endpoint, MeshNetwork, StreamHandlers } from '../../../adapters/mesh/sockets/network.ts'
import { Refusals } from '../../../adapters/mesh/contacts/refusals.ts'
import { STREAM_SETTINGS, type StreamSettings } from '../../../adapters/mesh/streams/stream-settings.ts'
import { Streams } from '../../../adapters/mesh/streams/streams.ts'
import type { TransportReport } from '../../../src/index.ts'
import { FakeMeshNetwork } from '../../support/fake-mesh-network.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'

export const PORT = 7946

/** What becomes of bytes that a member writes to a stream which it has opened. */
export type Tap = (bytes: Uint8Array) => Uint8Array | undefined

export interface World {
  readonly env: VirtualEnv
  readonly network: FakeMeshNetwork
  readonly members: Member[]
}

export function streamWorld(delayMs = 1): World {
  const env = virtualEnv()
  return { env, network: new FakeMeshNetwork({ clock: env, delayMs }), members: [] }
}

export class Member {
  readonly endpoint: Endpoint
  readonly streams: Streams
  readonly frames: { readonly from: Contact; readonly bytes: Uint8Array }[] = []
  readonly reports: TransportReport[] = []
  readonly refusals: Refusals
  /** Streams that this member has opened. */
  readonly opened: ByteStream[] = []
  tap: Tap | undefined
  whenFrame: (() => void) | undefined
  hasSessions = true
  isBusy = false
  readonly #contacts = new Map<string, Contact>()
  readonly #world: World
  readonly #number: number

  constructor(world: World, settings: Partial<StreamSettings> = {}) {
    this.#world = world
    this.#number = world.members.push(this)
    this.endpoint = { host: `10.0.0.${this.#number}`, port: PORT }
    const clock = world.env.fork({ label: this.endpoint.host })
    const report = (one: TransportReport): void => void this.reports.push(one)
    this.refusals = new Refusals({ clock, report })
    this.streams = new Streams({
      network: this.#tapped(world.network.machine(this.endpoint.host)),
      clock,
      bind: this.endpoint,
      settings: { ...STREAM_SETTINGS, ...settings },
      refusals: this.refusals,
      report,
      isBusy: () => this.isBusy,
      onFrame: (from, bytes) => {
        this.frames.push({ from, bytes })
        this.whenFrame?.()
      },
      secrets: {
        streamSecret: (contact) => (this.hasSessions ? this.#sessionWith(contact) : undefined),
        streamByIndex: (index, host) => {
          const other = world.members[index - 1]
          if (other?.endpoint.host !== host || !this.hasSessions) return undefined
          return { contact: this.contact(other), index, secret: secretOf(this.#number, other.#number), version: 2 }
        },
      },
    })
  }

  contact(other: Member): Contact {
    const { endpoint } = other
    const known = this.#contacts.get(endpoint.host)
    if (known !== undefined) return known
    const profile = { member: String(other.#number).padStart(16, '0'), zone: '', roles: [] }
    const contact: Contact = { profile, endpoint, address: addressOf(endpoint) }
    this.#contacts.set(endpoint.host, contact)
    return contact
  }

  send(to: Member, bytes: Uint8Array): boolean {
    return this.streams.send(this.contact(to), bytes)
  }

  queuedBytes(to: Member): number {
    return this.streams.queuedBytes(this.contact(to))
  }

  get received(): Uint8Array[] {
    return this.frames.map(({ bytes }) => Uint8Array.from(bytes))
  }

  /** What has been refused and reported so far, all kinds together. */
  get refusedCount(): number {
    let count = 0
    for (const report of this.reports) {
      if (report.kind === 'packets:refused') count += report.forgedCount + report.malformedCount
    }
    return count
  }

  /** The receiver's index of the session is the sender's number: a session for every pair. */
  #sessionWith(contact: Contact): StreamSecret | undefined {
    const other = this.#world.members.find(({ endpoint }) => endpoint.host === contact.endpoint.host)
    if (other === undefined) return undefined
    return { index: this.#number, secret: secretOf(this.#number, other.#number), version: 2 }
  }

  #tapped(network: MeshNetwork): MeshNetwork {
    const connect = (to: Endpoint, from: string, handlers: StreamHandlers): ByteStream => {
      const stream = network.connect(to, from, handlers)
      this.opened.push(stream)
      const write = stream.write.bind(stream)
      stream.write = (chunks) => {
        const { tap } = this
        write(tap === undefined ? chunks : chunks.flatMap((chunk) => tap(chunk) ?? []))
      }
      return stream
    }
    return { ...network, connect }
  }
}

export async function openMembers(world: World, count: number, settings?: Partial<StreamSettings>): Promise<Member[]> {
  const members = Array.from({ length: count }, () => new Member(world, settings))
  for (const member of members) await member.streams.open()
  return members
}

/** Two members that are open. */
export async function openPair(world: World, settings?: Partial<StreamSettings>): Promise<[Member, Member]> {
  const [a, b] = await openMembers(world, 2, settings)
  return [a as Member, b as Member] // there are two
}

export function frameOf(byte: number, length = 5000): Uint8Array {
  return new Uint8Array(length).fill(byte)
}

function secretOf(a: number, b: number): Uint8Array {
  return new Uint8Array(32).fill(Math.min(a, b) * 16 + Math.max(a, b))
}
