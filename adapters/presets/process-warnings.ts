/**
 * Errors and warnings of an engine as warnings of the process. A source that is down is an event for each
 * load that fails. So of each kind only a few are shown in a while, and then how many more there were.
 */
import { inspect } from 'node:util'
import type { EventLogger } from '../../src/index.ts'

export const SHOWN_MAX = 10
export const WHILE_MS = 10_000

const nothing = (): void => undefined

export function processWarnings(elapsedMs: () => number = () => performance.now()): EventLogger {
  const whiles = new Map<string, { readonly sinceMs: number; count: number }>()
  const warning = (message: unknown, fields: unknown): void => {
    const kind = String(message)
    let now = whiles.get(kind)
    let rest = ''
    if (now === undefined || elapsedMs() - now.sinceMs >= WHILE_MS) {
      const hiddenCount = (now?.count ?? 0) - SHOWN_MAX
      if (hiddenCount > 0) rest = ` (and ${hiddenCount} more of this kind since the last one that was shown)`
      now = { sinceMs: elapsedMs(), count: 0 }
      whiles.set(kind, now)
    }
    if (++now.count <= SHOWN_MAX)
      process.emitWarning(`${kind}${rest} ${inspect(fields, { breakLength: Infinity })}`, 'WarpWarning')
  }
  return { error: warning, warn: warning, info: nothing, debug: nothing }
}
