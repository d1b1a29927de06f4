/**
 * Members of the mesh without cryptography and sockets: the real `Membership` and `Discovery`, and in place of contacts a handshake that takes
 * two round trips over the same lossy links. One virtual time line, one seed.
 */
import { addressOf, type Contact, type MemberId, type MemberProfile } from '../../adapters/mesh/contacts/contact.ts'
import { Discovery } from '../../adapters/mesh/discovery/discovery.ts'
import type { MessageKind } from '../../adapters/mesh/messages.ts'
import type { Endpoint } from '../../adapters/mesh/sockets/network.ts'
import { Membership, MEMBERSHIP_DEFAULTS, type MemberView } from '../../adapters/mesh/membership/swim.ts'
import { type Random, seededRandom } from '../../testing/world/random.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'

export interface ClusterSettings {
  readonly seed?: number
  readonly loss?: number
  readonly delayMs?: number
}

export interface Told {
  readonly atMs: number
  readonly by: number
  readonly about: string
  readonly state: string
}

const TRIES_MS = [0, 250, 750, 1750]
const UNANSWERED_MS = 2000

export class Cluster {
  readonly env: VirtualEnv
  readonly random: Random
  readonly members: ClusterMember[] = []
  /** Every change of state that anybody was told of. */
  readonly told: Told[] = []
  readonly counts = { messages: 0, bytes: 0 }
  /** `from>to` of links that are cut. */
  readonly cuts = new Set<string>()
  loss: number
  readonly delayMs: number

  constructor({ seed = 1, loss = 0, delayMs = 1 }: ClusterSettings = {}) {
    this.random = seededRandom(seed)
    this.env = virtualEnv({ seed })
    this.loss = loss
    this.delayMs = delayMs
  }

  /** Starts members; all of them know the first one's address. */
  async start(count: number, wallOffsetsMs: readonly number[] = []): Promise<void> {
    const first = this.members.length
    for (let i = first; i < first + count; i++)
      this.members.push(new ClusterMember(this, { index: i, wallOffsetMs: wallOffsetsMs[i] ?? 0 }))
    for (const member of this.members.slice(first)) await member.discovery.start()
  }

  member(i: number): ClusterMember {
    const member = this.members[i]
    if (member === undefined) throw new RangeError(`there is no member ${i}`)
    return member
  }

  at(endpoint: Endpoint): ClusterMember | undefined {
    return this.members.find((member) => member.isRunning && addressOf(member.endpoint) === addressOf(endpoint))
  }

  cut(a: number, b: number, { isOneWay = false } = {}): void {
    this.cuts.add(`${a}>${b}`)
    if (!isOneWay) this.cuts.add(`${b}>${a}`)
  }

  /** Cuts everything between the first `count` members and the others. */
  split(count: number): void {
    for (let a = 0; a < count; a++) for (let b = count; b < this.members.length; b++) this.cut(a, b)
  }

  /** One datagram. */
  carry(from: number, to: number, arrive: () => void): void {
    const isLost = this.random.chance(this.loss) || this.cuts.has(`${from}>${to}`)
    if (!isLost) this.env.schedule(this.delayMs * (0.5 + this.random.float()), arrive)
  }

  /** Whether everybody who runs sees exactly the others who run. */
  get hasConverged(): boolean {
    const running = this.members.filter((member) => member.isRunning)
    return running.every((member) => member.up.length === running.length - 1 && member.up.every((id) => this.#runs(id)))
  }

  /** Milliseconds until `isTrue`, looked at every 10 ms, or `undefined` after `limitMs`. */
  async until(isTrue: () => boolean, limitMs: number): Promise<number | undefined> {
    for (let ms = 0; ms <= limitMs; ms += 10) {
      if (isTrue()) return ms
      await this.env.advance(10)
    }
    return undefined
  }

  close(): void {
    for (const member of this.members) member.kill()
  }

  #runs(id: MemberId): boolean {
    return this.members.some((member) => member.isRunning && member.profile.member === id)
  }
}

export class ClusterMember {
  readonly profile: MemberProfile
  readonly endpoint: Endpoint
  readonly env: VirtualEnv
  readonly membership: Membership
  readonly discovery: Discovery
  readonly skews: number[] = []
  malformedCount = 0
  isRunning = true
  readonly #cluster: Cluster
  readonly #index: number
  readonly #contacts = new Map<string, { readonly contact: Contact; readonly peer: ClusterMember }>()
  readonly #greetings = new Set<string>()

  constructor(cluster: Cluster, { index, wallOffsetMs }: { readonly index: number; readonly wallOffsetMs: number }) {
    this.#cluster = cluster
    this.#index = index
    this.env = cluster.env.fork({ label: `member ${index}`, wallOffsetMs })
    this.endpoint = { host: `10.0.${index >> 8}.${(index & 255) + 1}`, port: 7946 }
    this.profile = { member: idOf(index), zone: `zone-${index % 3}`, roles: index === 0 ? ['seed', 'web'] : ['web'] }
    this.membership = new Membership({
      clock: this.env,
      self: this.profile,
      settings: MEMBERSHIP_DEFAULTS,
      send: (to, kind, body) => this.#send(to, kind, body),
      events: {
        onState: (member, state) => this.#onState(member, state),
        onIntroduced: (endpoint) => this.discovery.introduced(endpoint),
        onSkewed: (_member, skewMs) => this.skews.push(skewMs),
        onMalformed: () => this.malformedCount++,
      },
    })
    this.discovery = new Discovery({
      network: { resolve: (host) => Promise.resolve([host]), joinMulticast: () => Promise.reject(new Error('none')) },
      clock: this.env,
      peers: ['10.0.0.1'],
      multicast: false,
      settings: { defaultPort: 7946, isLoopbackOnly: false },
      isKnown: (endpoint) => this.#isKnown(endpoint),
      greet: (endpoint) => this.#greet(endpoint),
      announce: () => undefined,
      announced: () => undefined,
      report: () => undefined,
    })
    this.membership.start()
  }

  /** The ids of those that it sees up. */
  get up(): string[] {
    return this.views.filter(({ state }) => state === 'alive').map(({ profile }) => profile.member)
  }

  get views(): readonly MemberView[] {
    return this.membership.views()
  }

  viewOf(other: ClusterMember): MemberView | undefined {
    return this.views.find(({ profile }) => profile.member === other.profile.member)
  }

  /** Says goodbye and is gone. */
  leave(): void {
    this.membership.close()
    this.kill()
  }

  /** Gone without a word. */
  kill(): void {
    this.isRunning = false
    void this.discovery.close()
    // A killed process sends nothing: what closing would send is swallowed, since it does not run any more.
    this.membership.close()
  }

  /** Both sides have proved to be there. */
  met(peer: ClusterMember): void {
    const address = addressOf(peer.endpoint)
    const known = this.#contacts.get(address)?.contact
    const contact = known ?? { profile: peer.profile, endpoint: peer.endpoint, address }
    this.#contacts.set(address, { contact, peer })
    this.membership.met(contact)
  }

  #isKnown(endpoint: Endpoint): boolean {
    const address = addressOf(endpoint)
    return this.#contacts.has(address) || address === addressOf(this.endpoint)
  }

  #send(to: MemberId, kind: MessageKind, body: Uint8Array): void {
    const peer = [...this.#contacts.values()].find(({ contact }) => contact.profile.member === to)?.peer
    if (peer === undefined || !this.isRunning) return
    this.#cluster.counts.messages++
    this.#cluster.counts.bytes += body.length
    this.#cluster.carry(this.#index, peer.#index, () => {
      // Keys were forgotten: nothing of it can be opened.
      if (!peer.isRunning || !peer.#contacts.has(addressOf(this.endpoint))) return
      peer.membership.heard(this.profile.member)
      peer.membership.receive(this.profile.member, kind, body)
    })
  }

  #onState(member: MemberId, state: string): void {
    this.#cluster.told.push({ atMs: this.#cluster.env.monotonic(), by: this.#index, about: member, state })
    if (state !== 'down' && state !== 'left') return
    for (const [address, { contact }] of this.#contacts) {
      if (contact.profile.member !== member) continue
      this.#contacts.delete(address)
      this.membership.lost(contact)
      if (state === 'down') this.discovery.down(contact.endpoint)
    }
  }

  #greet(endpoint: Endpoint): void {
    const address = addressOf(endpoint)
    if (this.#greetings.has(address)) return
    this.#greetings.add(address)
    for (const delayMs of TRIES_MS) this.env.schedule(delayMs, () => this.#try(endpoint))
    this.env.schedule(UNANSWERED_MS, () => {
      if (this.#greetings.delete(address) && this.isRunning) this.discovery.unanswered(endpoint)
    })
  }

  #try(endpoint: Endpoint): void {
    const peer = this.#cluster.at(endpoint)
    const address = addressOf(endpoint)
    if (peer === undefined || !this.isRunning || !this.#greetings.has(address)) return
    const there = (next: () => void): void => this.#cluster.carry(this.#index, peer.#index, next)
    const back = (next: () => void): void => this.#cluster.carry(peer.#index, this.#index, next)
    there(() =>
      back(() =>
        there(() =>
          back(() => {
            if (!this.isRunning || !peer.isRunning || !this.#greetings.delete(address)) return
            peer.met(this)
            this.met(peer)
          }),
        ),
      ),
    )
  }
}

export function idOf(index: number): MemberId {
  return index.toString(16).padStart(16, 'a')
}
