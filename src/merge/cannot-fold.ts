import type { AnyStrategy } from '../../crdt/strategy.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { ownStrategyName } from './strategy-names.ts'

/**
 * A key holds what this version, or the strategy that it is registered with here, does not know.
 * Blocks that key only.
 */
export function cannotFold(strategy: AnyStrategy, kind: number): WarpError {
  return new WarpError(
    'WARP_E_UNKNOWN_OP',
    `the key holds an operation of kind ${kind}, which this version does not apply; it is kept and forwarded; ` +
      'upgrade this replica',
    { details: { strategy: strategy.kind, code: strategy.code, kind } },
  )
}

/** What a key holds has been written by another strategy: the one with the code `written`. */
export function writtenByOther(strategy: AnyStrategy, written: number): WarpError {
  const { kind, code } = strategy
  return new WarpError(
    'WARP_E_UNKNOWN_OP',
    `the key was written by the strategy '${ownStrategyName(written)}', which '${kind}' cannot read; ` +
      `it is kept and forwarded; ${remedyOf(strategy, ownStrategyName(written))}`,
    { details: { strategy: kind, code, written } },
  )
}

/** How a key can be had that another strategy has written. */
export function remedyOf({ deletes }: AnyStrategy, written: string): string {
  const again = `register '${written}' for the key again`
  return deletes === 'refused' ? again : `${again}, or delete the key and write it anew`
}

/** The same of a key, by name. */
export function otherStrategy(key: string, { strategy, pattern }: Keyspace, written: string): WarpError {
  const { kind, code } = strategy
  return new WarpError(
    'WARP_E_UNKNOWN_OP',
    `'${key}' was written by the strategy '${written}', and '${pattern}' is registered as '${kind}', which cannot read it; ` +
      `it is kept and forwarded; ${remedyOf(strategy, written)}`,
    { details: { key, pattern, strategy: kind, code, written } },
  )
}
