/** Turns what a medium throws into a WarpError: full, or something else. */
import { isWarpError, WarpError, type WarpErrorCode } from '../../crdt/warp-error.ts'

const FULL_CODES: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'WARP_E_STORAGE_FULL', 'QuotaExceededError'])

export function storageError(error: unknown, doing: string): WarpError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (FULL_CODES.has(code)) {
    return new WarpError('WARP_E_STORAGE_FULL', `no space left while ${doing}; free space and try again`, {
      cause: error,
    })
  }
  if (isWarpError(error)) return error
  const text = typeof code === 'string' ? ` (${code})` : ''
  return new WarpError('WARP_E_STORAGE', `the storage failed while ${doing}${text}`, { cause: error })
}

const STORAGE_CODES: readonly WarpErrorCode[] = ['WARP_E_STORAGE', 'WARP_E_STORAGE_FULL', 'WARP_E_STORAGE_POISONED']

/** Whether the medium is to blame, and not the caller. */
export function isStorageError(error: unknown): error is WarpError {
  return isWarpError(error) && STORAGE_CODES.includes(error.code)
}

/**
 * Converts an error of the medium (an error with a code) as `storageError` does. Returns any other
 * error as it is, since the medium did not cause it.
 */
export function mediumError(error: unknown, doing: string): unknown {
  return error instanceof Error && 'code' in error ? storageError(error, doing) : error
}

/** The error that every later commit throws. */
export function poisoned(error: unknown, doing: string): WarpError {
  const reason = isWarpError(error) ? ` (${error.message})` : ''
  return new WarpError(
    'WARP_E_STORAGE_POISONED',
    `the storage failed while ${doing}${reason}: what was committed may not be stored; reading goes on, writing ends; ` +
      'repair the medium and open the log again',
    { cause: error, outcome: 'indeterminate' },
  )
}
