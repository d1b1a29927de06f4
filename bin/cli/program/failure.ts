/**
 * How the command fails: with a `WarpError` of the engine, or with one of these where the engine
 * has no say. Each has a code that is printed, and each kind an exit code.
 */
import { isWarpError, type WarpErrorCode } from '../../../crdt/warp-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { errorJson, type ErrorJson } from '../../../src/control/error-json.ts'

/** The command line is wrong, or what it names cannot be used. */
export class UsageError extends Error {
  readonly code = 'USAGE'
}

/** Another process holds the folder and does not answer, or speaks another version. */
export class UnreachableError extends Error {
  readonly code = 'UNREACHABLE'
}

export interface Failure extends ErrorJson {
  readonly exitCode: ExitCode
}

const UNREACHABLE: ReadonlySet<WarpErrorCode> = new Set(['WARP_E_LOG_LOCKED', 'WARP_E_TRANSPORT'])

export function failureOf(error: unknown): Failure {
  return { ...errorJson(error), exitCode: exitCodeOf(error) }
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage
  if (error instanceof UnreachableError) return EXIT.unreachable
  return isWarpError(error) && UNREACHABLE.has(error.code) ? EXIT.unreachable : EXIT.refused
}
