/** Errors of requests to JetStream, as the engine knows them. */
import { JetStreamApiError } from '@nats-io/jetstream'
import { asError, isWarpError } from '../../crdt/warp-error.ts'
import type { WarpError } from '../../src/index.ts'
import { connectionError } from './connection.ts'

/** Runs a request; whatever goes wrong is a `WarpError`, most often `WARP_E_TRANSPORT`. */
export async function request<Answer>(doing: string, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask()
  } catch (error) {
    throw requestError(doing, error)
  }
}

export function requestError(doing: string, error: unknown): WarpError {
  if (isWarpError(error)) return error
  const { message } = asError(error)
  const code = error instanceof JetStreamApiError ? ` (${error.code})` : ''
  return connectionError(
    `${doing} did not succeed: ${message}${code}`,
    error instanceof Error ? (error.cause ?? error) : error,
  )
}
