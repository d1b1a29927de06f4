import type { AnyStrategy } from '../../crdt/strategy.ts'
import { WarpError } from '../../crdt/warp-error.ts'

/**
 * A key holds what this version, or the strategy that it is registered with here, does not know.
 * Blocks that key only.
 */
export function cannotFold(strategy: AnyStrategy, what: string): WarpError {
  return new WarpError(
    'WARP_E_UNKNOWN_OP',
    `the key holds ${what}, which its strategy '${strategy.kind}' (code ${strategy.code}) cannot fold; ` +
      'it is kept and forwarded; register the key with the strategy that wrote it, or upgrade this replica if it does not know that one',
    { details: { strategy: strategy.kind, code: strategy.code } },
  )
}
