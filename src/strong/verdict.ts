/** How a command was decided at its place: every replica comes to the same. And what is told to those who wait in vain. */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { expectArray, expectCount, expectText } from '../../crdt/encoding/stored-state.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { WarpError, type WarpErrorCode } from '../../crdt/warp-error.ts'

/** The `details` of an error. */
type Facts = Readonly<Record<string, string | number>>

export type Verdict =
  /**
   * It counts. `version`: the newest version that it made of a key; `versions`: of each key that it
   * names, known where it was judged; `given`: what it has given beside.
   */
  | {
      readonly kind: 'done'
      readonly version: number
      readonly versions?: readonly number[]
      readonly given?: Encodable
    }
  /** A key was not as expected. */
  | { readonly kind: 'conflict'; readonly key: string; readonly version: number }
  /** A verb, a fence or a lock refused it. */
  | {
      readonly kind: 'failed'
      readonly code: WarpErrorCode
      readonly message: string
      readonly details?: Facts
    }
  /** It came too late, or was closed before it came: it does not count and never will. */
  | { readonly kind: 'void' }

export function encodeVerdict(verdict: Verdict): Encodable {
  switch (verdict.kind) {
    case 'done':
      return verdict.given === undefined ? [1, verdict.version] : [1, verdict.version, verdict.given]
    case 'conflict':
      return [2, verdict.key, verdict.version]
    case 'failed': {
      const { code, message, details } = verdict
      return details === undefined ? [3, code, message] : [3, code, message, Object.entries(details)]
    }
    default:
      return [4]
  }
}

/** Throws `WARP_E_PROTOCOL`. */
export function decodeVerdict(encoded: Encodable | undefined): Verdict {
  const [kind, a, b, c] = expectArray(encoded)
  if (kind === 1) return { kind: 'done', version: expectCount(a), ...(b === undefined ? {} : { given: b }) }
  if (kind === 2) return { kind: 'conflict', key: expectText(a), version: expectCount(b) }
  if (kind === 3) {
    const details = c === undefined ? {} : { details: decodeFacts(c) }
    return { kind: 'failed', code: expectText(a) as WarpErrorCode, message: expectText(b), ...details }
  }
  return { kind: 'void' }
}

function decodeFacts(encoded: Encodable): Facts {
  const facts = expectArray(encoded).map((item): [string, string | number] => {
    const [name, fact] = expectArray(item)
    return [expectText(name), typeof fact === 'number' ? fact : expectText(fact)]
  })
  return Object.fromEntries(facts)
}

/** What the caller of a refused command is told. */
export function errorOf(verdict: Exclude<Verdict, { kind: 'done' }>): WarpError {
  switch (verdict.kind) {
    case 'conflict': {
      const { key, version } = verdict
      return new WarpError(
        'WARP_E_CAS_CONFLICT',
        `'${key}' is not as expected: its version is ${version}${version === 0 ? ' (it has no value)' : ''}; ` +
          'nothing was written; read it again, or use update()',
        { details: { key, version } },
      )
    }
    case 'failed':
      return new WarpError(verdict.code, verdict.message, { details: verdict.details ?? {} })
    default:
      return new WarpError(
        'WARP_E_ABORTED',
        'the write came to the ordered log too late, or was given up before; it does not count; write it again',
      )
  }
}

export function unanswered(timeoutMs: number): WarpError {
  return new WarpError(
    'WARP_E_TRANSPORT',
    `the ordered log has not answered within ${timeoutMs} ms, so it is not known whether this replica is up to date; ` +
      "try again, or read with { consistency: 'stale' }",
    { details: { timeoutMs } },
  )
}

const BY_PATTERN: readonly WarpErrorCode[] = ['WARP_E_UNREGISTERED_KEY', 'WARP_E_STRATEGY']

export function standsStill(cause: WarpError): WarpError {
  const { code, message, details } = cause
  return new WarpError(
    code,
    `this replica stands still before a record of the ordered log that it cannot judge: ${message}` +
      (BY_PATTERN.includes(code) ? '; replicas of one log have the same strong patterns and strategies' : ''),
    { details, cause },
  )
}

export function readGivenUp(signal: AbortSignal): WarpError {
  return new WarpError('WARP_E_ABORTED', 'the read was given up', { cause: signal.reason })
}

export function unresolved(timeoutMs: number): WarpError {
  return new WarpError(
    'WARP_E_TRANSPORT',
    `the ordered log has not answered within ${timeoutMs} ms, so it is not known yet what became of the write; ask again`,
    { details: { timeoutMs } },
  )
}

export function notADot(): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    'resolve: this names no strong write; give the error whose outcome was indeterminate, or { replica, sequence } ' +
      'as they stand in its details',
  )
}

export function notOfTheLog({ replica, sequence }: Dot): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `resolve asks the ordered log, and ${replica}:${sequence} is a write of keys that it does not decide about; ` +
      'such a write counts once it is made; the replica that has made it waits for others with settled(dot, { acks })',
    { details: { replica, sequence } },
  )
}

export function resolvingGivenUp(signal: AbortSignal): WarpError {
  return new WarpError('WARP_E_ABORTED', 'asking what became of a write was given up', { cause: signal.reason })
}
