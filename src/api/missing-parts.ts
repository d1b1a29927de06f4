/** What an engine answers that was opened without one of its parts. */
import { WarpError } from '../../crdt/warp-error.ts'
import type { HistoryPart, TransferPart, WarpParts } from './parts.ts'

export function missingPart(part: keyof WarpParts, wanted: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `${wanted} needs the part '${part}', and this engine was opened without it; ` +
      "openWarp of 'warp-engine' brings every part",
    { details: { part } },
  )
}

export class NoHistory implements HistoryPart {
  log(): never {
    throw missingPart('history', 'log')
  }

  getAt(): never {
    throw missingPart('history', 'getAt')
  }

  explain(): never {
    throw missingPart('history', 'explain')
  }
}

export const NO_TRANSFER: TransferPart = {
  exportLines: () => {
    throw missingPart('transfer', 'export')
  },
  importLines: () => {
    throw missingPart('transfer', 'import')
  },
}
