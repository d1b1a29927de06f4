/**
 * Those who may not talk to us: they hold another cluster key, or speak no version that we speak.
 * Who has no key is never answered, and an operator has to be told of both, or a typing error looks
 * like silence. Source addresses can be forged, so reports are bounded: one a minute for an address,
 * and of no more than 64 addresses a minute.
 */
import { WarpError, type TransportReport } from '../../../src/index.ts'
import { type MeshClock, addressOf } from '../contacts/contact.ts'
import type { Endpoint } from '../sockets/network.ts'
import { type Versions, versionsText } from './versions.ts'

export type Strangeness = { readonly kind: 'key' } | { readonly kind: 'version'; readonly versions: Versions }

const QUIET_MS = 60_000
const ADDRESSES_MAX = 64

export class Strangers {
  readonly #clock: Pick<MeshClock, 'monotonic'>
  readonly #versions: Versions
  readonly #report: (report: TransportReport) => void
  /** When each was told of, oldest first. */
  readonly #told = new Map<string, number>()

  /** `versions` is what we speak. */
  constructor(clock: Pick<MeshClock, 'monotonic'>, versions: Versions, report: (report: TransportReport) => void) {
    this.#clock = clock
    this.#versions = versions
    this.#report = report
  }

  tell(from: Endpoint, strangeness: Strangeness): void {
    const nowMs = this.#clock.monotonic()
    for (const [address, toldMs] of this.#told) {
      if (nowMs - toldMs < QUIET_MS) break
      this.#told.delete(address)
    }
    const address = addressOf(from)
    if (this.#told.has(address) || this.#told.size >= ADDRESSES_MAX) return
    this.#told.set(address, nowMs)
    this.#report({ kind: 'peer:refused', address, error: errorOf(address, strangeness, this.#versions) })
  }
}

function errorOf(address: string, strangeness: Strangeness, ours: Versions): WarpError {
  if (strangeness.kind === 'key') {
    return new WarpError(
      'WARP_E_AUTH',
      `${address} speaks with another cluster key, or for another cluster, than this mesh; give both the same ` +
        'clusterKey and cluster',
      { details: { address } },
    )
  }
  const { versions } = strangeness
  return new WarpError(
    'WARP_E_PROTOCOL',
    `${address} speaks ${versionsText(versions)} of the mesh and this process ${versionsText(ours)}; run builds of ` +
      'warp-engine on both that have a version in common',
    { details: { address, theirs: versionsText(versions), ours: versionsText(ours) } },
  )
}
