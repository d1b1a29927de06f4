/**
 * Cookies prove that who greets can receive at the address that it greets from (after Photuris, RFC
 * 2522, and WireGuard). They are computed from the address and a secret of this run, so an unproven
 * greeting costs no memory. The secret changes every ten seconds and the one before stays good, so
 * a cookie lives for ten to twenty.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type MeshClock, addressOf } from '../contacts/contact.ts'
import type { Endpoint } from '../sockets/network.ts'

export const COOKIE_BYTES = 16
const SECRET_MS = 10_000

export class Cookies {
  readonly #clock: MeshClock
  #secret: Uint8Array
  #former: Uint8Array
  #bornMs: number

  constructor(clock: MeshClock) {
    this.#clock = clock
    this.#secret = clock.random(32)
    this.#former = clock.random(32)
    this.#bornMs = clock.monotonic()
  }

  /** `greeting` is what the cookie is good for besides the address: the member and its nonce. */
  make(from: Endpoint, greeting: Uint8Array): Uint8Array {
    this.#renew()
    return cookie(this.#secret, from, greeting)
  }

  isValid(candidate: Uint8Array, from: Endpoint, greeting: Uint8Array): boolean {
    this.#renew()
    return (
      timingSafeEqual(candidate, cookie(this.#secret, from, greeting)) ||
      timingSafeEqual(candidate, cookie(this.#former, from, greeting))
    )
  }

  #renew(): void {
    const nowMs = this.#clock.monotonic()
    const ageMs = nowMs - this.#bornMs
    if (ageMs < SECRET_MS) return
    this.#former = ageMs < 2 * SECRET_MS ? this.#secret : this.#clock.random(32)
    this.#secret = this.#clock.random(32)
    this.#bornMs = nowMs
  }
}

function cookie(secret: Uint8Array, from: Endpoint, greeting: Uint8Array): Uint8Array {
  const mac = createHmac('sha256', secret).update(addressOf(from)).update('\0').update(greeting).digest()
  return mac.subarray(0, COOKIE_BYTES)
}
