/** What went wrong, in the form of an error of Redis. */
import { isWarpError } from '../../../crdt/warp-error.ts'
import { FoldFirst } from '../../../src/api/direct/direct-keys.ts'
import { toBinary } from '../protocol/bytes.ts'
import { ReplyError } from './reply-error.ts'

/** As the client is told. Faults of the program are not shown to whoever asks. */
export function errorText(error: unknown): string {
  if (error instanceof ReplyError) return error.text
  if (error instanceof FoldFirst) return `TRYAGAIN ${toBinary(error.message)}`
  if (!isWarpError(error)) return 'ERR the server failed to answer; its log says more'
  const { code, message, details } = error
  if (code === 'WARP_E_MODE' && details['holds'] !== undefined)
    return 'WRONGTYPE Operation against a key holding the wrong kind of value'
  if (code === 'WARP_E_STRATEGY') return 'WRONGTYPE Operation against a key holding the wrong kind of value'
  if (code === 'WARP_E_STORAGE_FULL') return `OOM ${code}: ${toBinary(message)}`
  if (code === 'WARP_E_STORAGE_POISONED') return `READONLY ${code}: ${toBinary(message)}`
  return `ERR ${code}: ${toBinary(message)}`
}
