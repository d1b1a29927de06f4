/** Questions about rows that several stores ask. */
import type { RowOutcome, StoreRow } from '../primary-store.ts'

const NOTHING = new Uint8Array()

/** A row that somebody else made: no meta, no token. */
export function outsidersRow(value: Uint8Array): StoreRow {
  return { value, meta: NOTHING, token: NOTHING }
}

/** Whether the row is still the one that a change was made from: the same token, the same value. */
export function isAsExpected(present: StoreRow | undefined, expected: StoreRow | undefined): boolean {
  if (present === undefined || expected === undefined) return present === expected
  return equalBytes(present.token, expected.token) && equalBytes(present.value, expected.value)
}

export function equalBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  if (a.length !== b.length) return false
  // A loop: values have megabytes, and a call for each byte would hold up everything else.
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export const DONE: RowOutcome = { kind: 'done' }
