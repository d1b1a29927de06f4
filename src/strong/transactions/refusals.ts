/** What a transaction says when it comes to nothing. */
import { WarpError } from '../../../crdt/warp-error.ts'
import { TRANSACTION_KEYS_MAX } from '../../limits.ts'
import type { Target } from '../../store/write-road/target.ts'

/** A key that was not as a transaction had read it, or expected it. */
export interface Changed {
  readonly key: string
  /** The one that it has. */
  readonly version: number
}

/** What the function is told that goes on reading. */
export function overtaken(key: string): WarpError {
  return new WarpError(
    'WARP_E_TXN_ABORTED',
    `'${key}' has changed since the transaction read it; nothing of this try is written, and nothing more is read in it`,
    { details: { key } },
  )
}

export function notAsExpected({ key, version }: Changed): WarpError {
  return new WarpError(
    'WARP_E_TXN_ABORTED',
    `'${key}' is not as the transaction expects: ${shownVersion(version)}; nothing was written; read the key again`,
    { details: { key, version } },
  )
}

export function triedInVain({ key, version }: Changed, tries: number): WarpError {
  return new WarpError(
    'WARP_E_TXN_ABORTED',
    `'${key}' had changed since it was read each of the ${tries} times that the transaction was tried ` +
      `(${shownVersion(version)}); nothing was written; try again later, or give triesMax`,
    { details: { key, version, tries } },
  )
}

function shownVersion(version: number): string {
  return version === 0 ? 'it has no value' : `its version is ${version}`
}

export function over(): WarpError {
  return new WarpError(
    'WARP_E_CLOSED',
    'the transaction is over: its function has returned or thrown; await everything in the function, and keep nothing of it',
  )
}

export function givenUp(signal: AbortSignal): WarpError {
  return new WarpError('WARP_E_ABORTED', 'the transaction was given up; nothing was written', { cause: signal.reason })
}

export function tooManyKeys(): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `a transaction reads and writes ${TRANSACTION_KEYS_MAX} keys at most; nothing was written; use several`,
    { details: { limit: TRANSACTION_KEYS_MAX } },
  )
}

export function otherMode({ key, keyspace }: Target, mode: string, first: string | undefined): WarpError {
  const { pattern } = keyspace
  const why = first === undefined ? `is of mode '${mode}' by its options` : `began with '${first}' of mode '${mode}'`
  return new WarpError(
    'WARP_E_MODE',
    `'${key}' has mode '${keyspace.mode}' ('${pattern}'), and the transaction ${why}; ` +
      'nothing was written; use a transaction for each mode',
    { details: { key, pattern, mode } },
  )
}

export function sourced({ key, keyspace }: Target): WarpError {
  const { pattern } = keyspace
  return new WarpError(
    'WARP_E_MODE',
    `'${key}' has its truth elsewhere ('${pattern}' has a ${keyspace.source?.store === undefined ? 'load' : 'store'}), ` +
      'and takes no part in a transaction; nothing was written',
    { details: { key, pattern } },
  )
}

/** Nobody decides about eventual keys. */
export function uncompared({ key, keyspace: { pattern } }: Target): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `nobody can say what '${key}' will be when it is written: '${pattern}' has mode 'eventual', where writes merge and ` +
      `none is refused for another one; nothing was written; use mode 'strong' (with openWarp({ order })) or 'local', ` +
      'or a strategy whose writes may meet, as counter() or set()',
    { details: { key, pattern } },
  )
}

export function writtenTwice({ key, keyspace: { strategy } }: Target): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `'${key}' is written in this transaction already, and one of '${strategy.kind}' takes one write in each; ` +
      'put both into one call of the verb, or into two transactions',
    { details: { key, strategy: strategy.kind } },
  )
}

export function readBehindVerb({ key, keyspace: { strategy } }: Target): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `what '${key}' will be is not known here: a verb of '${strategy.kind}' has been called in this transaction, and ` +
      'works on what the key is when the transaction is decided; read the key before the verb',
    { details: { key, strategy: strategy.kind } },
  )
}

export function expectedBehindWrite(key: string): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `'${key}' is written in this transaction already; say what is expected of it before the write`,
    { details: { key } },
  )
}
