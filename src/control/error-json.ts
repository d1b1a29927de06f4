/**
 * Failures as JSON, and the status by which HTTP tells them. The other side makes the same error of
 * it again.
 */
import { isWarpError, WarpError, type WarpErrorCode } from '../../crdt/warp-error.ts'
import type { Json } from './tagged-json.ts'

export interface ErrorJson {
  /** `WARP_E_...`, the system's own (`EACCES`), or `INTERNAL` for a fault of the program. */
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, Json>>
}

export function errorJson(error: unknown): ErrorJson {
  if (!(error instanceof Error)) return { code: 'INTERNAL', message: String(error) }
  if (isWarpError(error)) {
    const { code, message } = error
    const known = Object.entries(error.details).filter(([, value]) => value !== undefined)
    if (known.length === 0) return { code, message }
    return { code, message, details: Object.fromEntries(known) as Readonly<Record<string, Json>> } // scalars, all of them
  }
  const { code, message, stack } = error as Error & { readonly code?: unknown }
  return typeof code === 'string' ? { code, message } : { code: 'INTERNAL', message: stack ?? message }
}

/** The error that the other side met. */
export function errorOf({ code, message, details }: ErrorJson): Error {
  if (!code.startsWith('WARP_E_')) return Object.assign(new Error(message), { code })
  // Details came from a WarpError, whose details are scalars.
  const scalars = details as Readonly<Record<string, string | number | boolean>> | undefined
  return new WarpError(code as WarpErrorCode, message, scalars === undefined ? {} : { details: scalars })
}

/** What is not listed is a fault of ours, or of the disk: 500. */
const STATUSES: Readonly<Partial<Record<WarpErrorCode, number>>> = {
  WARP_E_PROTOCOL: 400,
  WARP_E_PATTERN: 400,
  WARP_E_CONFIG: 400,
  WARP_E_UNENCODABLE: 422,
  WARP_E_UNREGISTERED_KEY: 404,
  WARP_E_HISTORY: 404,
  WARP_E_MODE: 409,
  WARP_E_BOUND: 409,
  WARP_E_RESYNC_REQUIRED: 409,
  WARP_E_LIMIT: 413,
  WARP_E_ABORTED: 503,
  WARP_E_CLOSED: 503,
  WARP_E_STORAGE_FULL: 507,
}

export function httpStatusOf({ code }: ErrorJson): number {
  return STATUSES[code as WarpErrorCode] ?? 500
}
