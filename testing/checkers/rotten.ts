/**
 * Machines whose disk may hold bits that were flipped: also such as came with a backup or with a
 * copy of another disk.
 */
import type { RunHistory } from '../simulation/report/run-history.ts'

export function rottenMachines({ lives }: RunHistory): ReadonlySet<string> {
  const rotten = new Set<string>()
  for (const { machine, kind, detail } of lives) {
    if (kind === 'bit rot') rotten.add(machine)
    if (kind === 'copied' && detail !== undefined && rotten.has(machine)) rotten.add(detail)
  }
  return rotten
}
