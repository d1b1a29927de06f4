/**
 * Finds peers on the same link without being told of any: every member announces itself to a
 * multicast group, and whoever hears it greets the source of the packet. What the packet says is
 * authenticated and holds no address (contacts.ts makes and reads it).
 *
 * Quickly at first, since those that are there wait for the newcomer; then every few seconds, for
 * those who missed it. Many networks have no multicast (clouds, most container networks, IPv6 on
 * loopback): that is reported once, tried again every RETRY_MS, and the static peers must do.
 */
import { type Timer, type TransportReport, WarpError } from '../../../src/index.ts'
import { jittered } from '../chance.ts'
import { addressOf, type MeshClock } from '../contacts/contact.ts'
import type { Endpoint, MeshNetwork, MulticastPort, OnDatagram } from './network.ts'

export interface MulticastSettings {
  readonly group: Endpoint
  /** The address of the interface that hears the group. */
  readonly on: string
}

export const MULTICAST_GROUP_IPV4: Endpoint = { host: '239.255.77.46', port: 7947 }
export const MULTICAST_GROUP_IPV6: Endpoint = { host: 'ff02::77:46', port: 7947 }

const ANNOUNCED_EVERY_MS = 5000
const QUICK_MS = 300
const QUICK_COUNT = 3
const RETRY_MS = 30_000

export interface MulticastOptions {
  readonly network: Pick<MeshNetwork, 'joinMulticast'>
  readonly clock: MeshClock
  readonly settings: MulticastSettings
  /** Throws what the system throws. */
  readonly announce: (group: Endpoint) => void
  readonly announced: OnDatagram
  readonly report: (report: TransportReport) => void
}

export class Multicast {
  readonly #options: MulticastOptions
  #port: MulticastPort | undefined
  #timer: Timer | undefined
  #announcedCount = 0
  #isDegraded = false
  #isClosed = false

  constructor(options: MulticastOptions) {
    this.#options = options
  }

  /** Resolves once the group is joined, or cannot be. */
  async start(): Promise<void> {
    const { network, settings, announced } = this.#options
    try {
      const port = await network.joinMulticast(settings.group, settings.on, announced)
      if (this.#isClosed) {
        await port.close()
        return
      }
      this.#port = port
      this.#announce()
    } catch (error) {
      this.#degrade(error)
      this.#again(RETRY_MS)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#port?.close()
    this.#port = undefined
  }

  #announce(): void {
    try {
      this.#options.announce(this.#options.settings.group)
    } catch (error) {
      this.#degrade(error)
      this.#again(RETRY_MS)
      return
    }
    this.#isDegraded = false
    this.#announcedCount++
    this.#again(this.#announcedCount < QUICK_COUNT ? QUICK_MS : ANNOUNCED_EVERY_MS)
  }

  #again(delayMs: number): void {
    if (this.#isClosed) return
    const { clock } = this.#options
    this.#timer = clock.schedule(jittered(clock, delayMs), () => {
      if (this.#port === undefined) void this.start()
      else this.#announce()
    })
  }

  #degrade(cause: unknown): void {
    if (this.#isDegraded || this.#isClosed) return
    this.#isDegraded = true
    const { group, on } = this.#options.settings
    const message = `multicast to ${addressOf(group)} does not work on ${on}, so peers are not found by themselves; name static peers, or set multicast: false`
    const error = new WarpError('WARP_E_TRANSPORT', message, { details: { group: addressOf(group), on }, cause })
    this.#options.report({ kind: 'transport:degraded', error })
  }
}
