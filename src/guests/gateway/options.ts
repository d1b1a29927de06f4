/** What a gateway is told, with its defaults and bounds. */
import { checkTypeOf, isWholeFrom, optionNames, refusedOption, requireOptions } from '../../../crdt/checked-options.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { WarpError } from '../../../crdt/warp-error.ts'

/** What a guest may do. Patterns are key patterns: `*`, `?`, `\`. */
export interface GuestPermission {
  /** Who it is, in the provenance of its writes: at most 256 bytes. */
  readonly principal: string
  /** Keys that it is sent, of those that it asks for. */
  readonly read: readonly string[]
  /** Keys that it may write. */
  readonly write: readonly string[]
  /** When this is over, unless the guest brings another token: ms since 1970. Default: never. */
  readonly untilMs?: number
}

export interface GatewayLimits {
  /** Guests at a time; one more is turned away with code 4429. Default 10,000. */
  readonly guestsMax?: number
  /** Writes of one guest that are taken in a second; more wait. Default 1,000. */
  readonly writesPerSecond?: number
  /** How long a guest may take to say who it is, and `authorize` to answer, ms. Default 10,000. */
  readonly helloTimeoutMs?: number
  /** How long to wait for what a guest has seen elsewhere, before it is sent everything anew, ms. Default 10,000. */
  readonly catchUpMs?: number
  /** How often a guest gives a sign of life, ms; after two and a half of them it is cut off. Default 15,000. */
  readonly heartbeatMs?: number
}

/** Never carries values. */
export type GatewayEvent =
  | {
      readonly kind: 'guest:connected'
      readonly guest: ReplicaId
      readonly principal: string
      readonly isReset: boolean
    }
  | { readonly kind: 'guest:disconnected'; readonly guest: ReplicaId; readonly code: number; readonly reason: string }
  /** Who was not let in, or has said what no guest says. */
  | { readonly kind: 'guest:refused'; readonly code: number; readonly reason: string }
  | { readonly kind: 'write:rejected'; readonly guest: ReplicaId; readonly key: string; readonly error: WarpError }
  /** A key is not sent to guests: its state is too large, or cannot be folded. */
  | { readonly kind: 'key:withheld'; readonly key: string; readonly error: Error }
  /** `authorize` threw, or the engine. */
  | { readonly kind: 'gateway:failed'; readonly error: Error }

export interface GatewayOptions<Request> {
  /**
   * Says what the bearer of a token may do: asked when a guest comes, and for each new token. `false`: it
   * is not let in. What it throws is told to `observe`, and the guest comes again later.
   */
  readonly authorize: (token: string, request: Request) => GuestPermission | false | Promise<GuestPermission | false>
  readonly limits?: GatewayLimits
  /** Told what happens. Must not throw. Default: nobody is told. */
  readonly observe?: (event: GatewayEvent) => void
}

export interface GatewaySettings<Request> {
  readonly authorize: GatewayOptions<Request>['authorize']
  readonly limits: Required<GatewayLimits>
  readonly observe: (event: GatewayEvent) => void
}

const LIMITS = {
  guestsMax: { fallback: 10_000, min: 1, max: 1_000_000 },
  writesPerSecond: { fallback: 1000, min: 1, max: 1_000_000 },
  helloTimeoutMs: { fallback: 10_000, min: 10, max: 600_000 },
  catchUpMs: { fallback: 10_000, min: 1, max: 600_000 },
  heartbeatMs: { fallback: 15_000, min: 10, max: 600_000 },
} as const

export const GATEWAY_OPTIONS: readonly string[] = optionNames<GatewayOptions<unknown>>({
  ...{ authorize: true, limits: true, observe: true },
})

const EXAMPLE = "{ authorize: (token) => ({ principal: 'alice', read: ['todo:*'], write: ['todo:*'] }) }"

/** Throws `WARP_E_CONFIG`. `known`: the options that the caller takes besides. */
export function gatewaySettings<Request>(
  options: GatewayOptions<Request>,
  known: readonly string[] = [],
): GatewaySettings<Request> {
  requireOptions('guestGateway', options, [...GATEWAY_OPTIONS, ...known], EXAMPLE)
  const { authorize, limits = {}, observe = () => undefined } = options
  if (typeof authorize !== 'function')
    throw refusedOption('guestGateway', 'authorize', authorize, 'give a function that says what a token may do')
  checkTypeOf('guestGateway', options, 'observe', 'function')
  return { authorize, observe, limits: limitsOf(limits) }
}

function limitsOf(limits: GatewayLimits): Required<GatewayLimits> {
  requireOptions('guestGateway: limits', limits, Object.keys(LIMITS), '{ guestsMax: 1_000 }')
  const all: Record<string, number> = {}
  for (const name of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) {
    const { fallback, min, max } = LIMITS[name]
    const value = limits[name] ?? fallback
    if (!isWholeFrom(value, min, max))
      throw refusedOption('guestGateway', `limits.${name}`, value, `give a whole number from ${min} to ${max}`)
    all[name] = value
  }
  return all as unknown as Required<GatewayLimits> // every name has been filled in
}
