/** Lives, as commands say them: for so long, or until then; in seconds or milliseconds. */
import { parseWhole } from '../../protocol/numbers.ts'
import type { Call } from '../../call/command.ts'
import { notWhole, wrongExpiry } from '../../call/reply-error.ts'

export interface Expiry {
  readonly unitMs: 1000 | 1
  /** Since 1970, and not from now. */
  readonly isAbsolute: boolean
}

const EXPIRIES: Readonly<Record<string, Expiry>> = {
  EX: { unitMs: 1000, isAbsolute: false },
  PX: { unitMs: 1, isAbsolute: false },
  EXAT: { unitMs: 1000, isAbsolute: true },
  PXAT: { unitMs: 1, isAbsolute: true },
}

/** The option of SET and GETEX, in upper case. */
export function expiryOf(option: string): Expiry | undefined {
  return Object.hasOwn(EXPIRIES, option) ? EXPIRIES[option] : undefined
}

const INT64_MAX = 2n ** 63n - 1n
/** Later than anybody waits; what ends after it is for ever, and safe to count with. */
const LATEST_MS = Number.MAX_SAFE_INTEGER

/** When something ends that lives on from now, ms since 1970. Throws for what ends before it begins. */
export function deadlineOf(call: Call, expiry: Expiry, text: string, command: string): number {
  const amount = parseWhole(text)
  if (amount === undefined) throw notWhole()
  if (amount <= 0) throw wrongExpiry(command)
  return untilOf(call, expiry, amount, command)
}

/** The same of what may be over already. */
export function untilOf(
  { nowMs }: Call,
  { unitMs, isAbsolute }: Expiry,
  amount: number | bigint,
  command: string,
): number {
  const ms = BigInt(amount) * BigInt(unitMs)
  const until = isAbsolute ? ms : ms + BigInt(nowMs)
  if (until > INT64_MAX || ms < -INT64_MAX - 1n || ms > INT64_MAX) throw wrongExpiry(command)
  return Math.min(LATEST_MS, Number(until))
}
