/** Replicas with gateways, and guests that come to them by links in memory, on one virtual time line. */
import { openWarp } from '../../../adapters/node/open-warp.ts'
import { memoryNetworkOn, type MemoryNetwork } from '../../../src/ports/memory-network/memory-network.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import { Gateway } from '../../../src/guests/gateway/gateway.ts'
import { gatewaySettings, type GatewayEvent, type GatewayOptions } from '../../../src/guests/gateway/options.ts'
import { openGuestOn } from '../../../src/guests/guest/guest.ts'
import type { Guest, GuestEvent, GuestOptions } from '../../../src/guests/guest/guest-types.ts'
import type { GuestLink } from '../../../src/ports/guest-link/guest-link.ts'
import { decodeGatewayFrame, type GatewayFrame } from '../../../src/guests/frames.ts'
import { memoryGuestLinks, type MemoryLinks } from '../../../src/ports/guest-link/memory-guest-link.ts'
import type { KeyMap, Warp } from '../../../src/index.ts'
import { virtualEnv, type VirtualEnv } from '../../../testing/world/virtual-env.ts'

export interface Place<K extends KeyMap> {
  readonly warp: Warp<K>
  readonly gateway: Gateway<string>
  readonly events: GatewayEvent[]
}

export interface Visitor<K extends KeyMap> {
  readonly guest: Guest<K>
  readonly events: GuestEvent[]
  /** To which place it goes; `undefined`: nowhere, it is offline. */
  at: number | undefined
  /** Ends its connection; what is under way is lost. */
  cut(): void
  /** Sets its wall clock. */
  setClock(ms: number): void
}

export interface GuestWorldOptions {
  readonly seed?: number
  readonly places?: number
  readonly gateway?: Partial<GatewayOptions<string>>
}

export interface GuestWorld<K extends KeyMap> {
  readonly env: VirtualEnv
  readonly places: readonly Place<K>[]
  /** `onFrame` is told of each frame before the guest is. */
  visit(at: number | undefined, options?: Partial<GuestOptions<K>>, onFrame?: (frame: GatewayFrame) => void): Visitor<K>
  /** Between the replicas. */
  readonly network: MemoryNetwork
  /** Lets so much time pass. */
  run(ms: number): Promise<void>
  close(): Promise<void>
}

/** Everybody may do everything. */
export const EVERYTHING = (): { principal: string; read: string[]; write: string[] } => ({
  ...{ principal: 'anybody', read: ['*'], write: ['*'] },
})

export async function guestWorld<const K extends Readonly<Record<string, AnyStrategy>>>(
  keys: K,
  { seed = 1, places: count = 1, gateway = {} }: GuestWorldOptions = {},
): Promise<GuestWorld<K>> {
  const env = virtualEnv({ seed })
  const network = memoryNetworkOn(env, { seed, delayMs: 2 })
  const places: Place<K>[] = []
  for (let i = 0; i < count; i++) {
    const events: GatewayEvent[] = []
    const own = env.fork({ label: `place ${i}` })
    const warp = await openWarp({
      ...{ keys: keys as never, env: own },
      ...(count > 1 ? { transports: [network.transport(`place-${i}`)] } : {}),
    })
    const observe = (event: GatewayEvent): void => void events.push(event)
    const settings = gatewaySettings<string>({ authorize: EVERYTHING, observe, ...gateway })
    places.push({ warp: warp as unknown as Warp<K>, gateway: new Gateway<string>(warp, settings), events })
  }
  const visitors: Visitor<K>[] = []
  const visit: GuestWorld<K>['visit'] = (at, options = {}, onFrame = () => undefined) => {
    const own = env.fork({ label: `guest ${visitors.length}` })
    const events: GuestEvent[] = []
    let links: MemoryLinks | undefined
    const dial = async (): Promise<GuestLink> => {
      await new Promise<void>((resolve) => void own.schedule(1, resolve))
      const place = visitor.at === undefined ? undefined : places[visitor.at]
      if (place === undefined) throw new WarpError('WARP_E_TRANSPORT', 'offline')
      links = memoryGuestLinks(own, { delayMs: 1 })
      place.gateway.connect(links.ends[1], 'memory')
      return watched(links.ends[0], onFrame)
    }
    const guest = openGuestOn<K>(
      { env: own, dial },
      { keys: keys as never, observe: (event) => void events.push(event), backoffMs: [10, 100], ...options },
    )
    const visitor: Visitor<K> = { guest, events, at, cut: () => links?.cut(), setClock: (ms) => own.setWall(ms) }
    visitors.push(visitor)
    return visitor
  }
  return {
    ...{ env, places, visit, network },
    run: (ms) => env.advance(ms),
    close: async () => {
      for (const { guest } of visitors) guest.close()
      for (const { gateway: one, warp } of places) {
        await Promise.all([one.close(), env.advance(1)])
        await Promise.all([warp.close(), env.advance(10_000)])
      }
    },
  }
}

function watched(link: GuestLink, onFrame: (frame: GatewayFrame) => void): GuestLink {
  return {
    get bufferedBytes() {
      return link.bufferedBytes
    },
    open: (receiver) =>
      link.open({
        receive: (frame) => {
          onFrame(decodeGatewayFrame(frame))
          receiver.receive(frame)
        },
        drained: () => receiver.drained(),
        closed: (end) => receiver.closed(end),
      }),
    send: (frame) => link.send(frame),
    close: (end) => link.close(end),
  }
}
