/**
 * How the command fails: with a `WarpError` of the engine, or with one of these where the engine has no say. Each has a code that is
 * printed, and each kind an exit code.
 */
import { isWarpError, type WarpErrorCode } from '../../../crdt/warp-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import type { Json } from '../../../src/control/tagged-json.ts'

/** The command line is wrong, or what it names cannot be used. */
export class UsageError extends Error {
  readonly code = 'USAGE'
}

/** Another process holds the folder and does not answer, or speaks another version. */
export class UnreachableError extends Error {
  readonly code = 'UNREACHABLE'
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly details?: Readonly<Record<string, Json>>
  readonly exitCode: ExitCode
}

const UNREACHABLE: ReadonlySet<WarpErrorCode> = new Set(['WARP_E_LOG_LOCKED', 'WARP_E_TRANSPORT'])

export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) return { code: error.code, message: error.message, exitCode: EXIT.usage }
  if (error instanceof UnreachableError) return { code: error.code, message: error.message, exitCode: EXIT.unreachable }
  if (!isWarpError(error)) return fault(error)
  const { code, message } = error
  const exitCode = UNREACHABLE.has(code) ? EXIT.unreachable : EXIT.refused
  const known = Object.entries(error.details).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  const details = Object.fromEntries(known) as Readonly<Record<string, Json>>
  return known.length === 0 ? { code, message, exitCode } : { code, message, details, exitCode }
}

/** The system's own errors carry a code that says more than ours would; what has none is a fault of this program. */
function fault(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: 'INTERNAL', message: String(error), exitCode: EXIT.refused }
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined) return { code, message: error.message, exitCode: EXIT.refused }
  return { code: 'INTERNAL', message: error.stack ?? error.message, exitCode: EXIT.refused }
}
