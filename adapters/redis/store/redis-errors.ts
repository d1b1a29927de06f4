/** What an error of Redis, or of ioredis, means for the engine. */
import type { StoreFailure } from '../../../src/ports/stores/store-error.ts'

/** The row itself is to blame: another type under this name, keys on two nodes, a value beyond 512 MB. */
const REJECTED = /\b(?:WRONGTYPE|CROSSSLOT)\b|string exceeds maximum/
/** The server works, and is not able to serve this now. */
const TRANSIENT = /^(?:BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY|TRYAGAIN|UNBLOCKED)\b/

export function failureOf(error: unknown): StoreFailure {
  // Anything but an answer of the server is about the connection.
  if (!(error instanceof Error) || error.name !== 'ReplyError') return 'transient'
  if (REJECTED.test(error.message)) return 'rejected'
  return TRANSIENT.test(error.message) || /\bOOM\b/.test(error.message) ? 'transient' : 'broken'
}

/** The server does not know the script yet, or has forgotten it. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
