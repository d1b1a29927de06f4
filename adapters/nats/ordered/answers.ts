/** What the answer to an append means: a place, certainly none, or nothing certain. */
import type { Msg } from '@nats-io/transport-node'
import { WarpError } from '../../../src/index.ts'
import type { AppendOutcome } from '../../../src/ports/ordered-log.ts'

interface Answer {
  readonly stream?: string
  readonly seq?: number
  readonly error?: { readonly code?: number; readonly err_code?: number; readonly description?: string }
}

/** No room on the disk, in the account, in the stream. */
const FULL = new Set([10_023, 10_028, 10_047, 10_122])
const FULL_STREAM = /maximum (?:bytes|messages)/i
/** The message as it is: size, headers, a stream that takes none. */
const UNACCEPTABLE = new Set([10_054, 10_097, 10_060, 10_109])
/** Said before anything is proposed: no leader, no room in a queue, no JetStream. */
const NOT_NOW = new Set([10_008, 10_009, 10_039, 10_076, 10_167])

function isNobody(message: Msg): boolean {
  return message.data.length === 0 && message.headers?.code === 503
}

/** `stream`: where it had to go. */
export function outcomeOf(message: Msg, stream: string): AppendOutcome {
  if (isNobody(message))
    return refused('WARP_E_TRANSPORT', `nobody takes records of stream '${stream}' now: it has no leader, or is gone`)
  const answer = parsed(message)
  const { error, seq } = answer
  if (error !== undefined) return failed(error, stream)
  if (answer.stream === stream && Number.isSafeInteger(seq) && seq! > 0) return { kind: 'appended', offset: seq! }
  return unknown(`the answer of stream '${stream}' is not understood`)
}

function failed({ err_code: code = 0, description = '' }: NonNullable<Answer['error']>, stream: string): AppendOutcome {
  const message = `stream '${stream}' has refused a record: ${description} (${code})`
  if (FULL.has(code) || FULL_STREAM.test(description)) return refused('WARP_E_STORAGE_FULL', message)
  if (UNACCEPTABLE.has(code)) return refused('WARP_E_LIMIT', message)
  if (NOT_NOW.has(code)) return refused('WARP_E_TRANSPORT', message)
  // It may have failed on one server, after the others had taken it.
  return unknown(message)
}

function refused(code: 'WARP_E_TRANSPORT' | 'WARP_E_STORAGE_FULL' | 'WARP_E_LIMIT', message: string): AppendOutcome {
  return { kind: 'refused', error: new WarpError(code, message) }
}

function unknown(message: string): AppendOutcome {
  return { kind: 'unknown', error: new WarpError('WARP_E_TRANSPORT', message, { outcome: 'indeterminate' }) }
}

function parsed(message: Msg): Answer {
  try {
    return message.json<Answer>()
  } catch {
    return {}
  }
}
