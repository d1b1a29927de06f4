/** Whether there is anybody else who may have written at the same time. */
import type { Call } from './command.ts'

/** If not, what is there already need not be written again to survive somebody's removal. */
export function hasPeers({ core }: Call): boolean {
  return core.warp.peers().length > 0
}
