/**
 * Those who may not talk to us: they hold another cluster key, or speak another version. Neither is
 * ever answered, and an operator has to be told, or a typing error looks like silence. Source
 * addresses can be forged, so what is told is bounded: once a minute for an address, and for no
 * more than 64 addresses a minute.
 */
import { WarpError, type TransportReport } from '../../../src/index.ts'
import { type MeshClock, addressOf } from '../contacts/contact.ts'
import type { Endpoint } from '../sockets/network.ts'
import { MESH_VERSION } from './packets.ts'

export type Strangeness = { readonly kind: 'key' } | { readonly kind: 'version'; readonly version: number }

const QUIET_MS = 60_000
const ADDRESSES_MAX = 64

export class Strangers {
  readonly #clock: Pick<MeshClock, 'monotonic'>
  readonly #report: (report: TransportReport) => void
  /** When each was told of, oldest first. */
  readonly #told = new Map<string, number>()

  constructor(clock: Pick<MeshClock, 'monotonic'>, report: (report: TransportReport) => void) {
    this.#clock = clock
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
    this.#report({ kind: 'peer:refused', address, error: errorOf(address, strangeness) })
  }
}

function errorOf(address: string, strangeness: Strangeness): WarpError {
  if (strangeness.kind === 'key') {
    return new WarpError(
      'WARP_E_AUTH',
      `${address} speaks with another cluster key, or for another cluster, than this mesh; give both the same ` +
        'clusterKey and cluster',
      { details: { address } },
    )
  }
  return new WarpError(
    'WARP_E_PROTOCOL',
    `${address} speaks version ${strangeness.version} of the mesh and this process version ${MESH_VERSION}; run the same ` +
      'version of warp-engine on both',
    { details: { address, version: strangeness.version } },
  )
}
