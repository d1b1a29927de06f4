/** `warp stats`. */
import { command, type AnyCommand } from '../program/command.ts'
import { openTarget } from '../target/open-target.ts'
import { STATS } from '../../../src/control/questions/watching.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { only } from '../target/target.ts'
import { toJson } from '../../../src/control/tagged-json.ts'
import type { Output } from '../output/output.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { statsTables, type StatsTable } from '../output/stats-tables.ts'

export const STATS_COMMAND: AnyCommand = command<DataFlags>({
  name: 'stats',
  summary: 'print how the replica is: counts, fullness, lags, what holds compaction back',
  details:
    'Counts are since it was opened, which for a folder that nobody holds is now. Hits of the cache are counted at the first read of a ' +
    'value only, so the hit ratio is a lower bound.',
  options: DATA_OPTIONS,
  examples: ['stats', 'stats --json'],
  async run({ options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal, isBlind: true })
    const stats = await only(target.ask(STATS, {}, { signal }))
    if (output.isJson) await output.json(toJson(stats))
    else await print(output, statsTables(stats, await ReplicaNames.of(target, { fullIds: options.fullIds, signal })))
    return undefined
  },
})

async function print(output: Output, tables: readonly StatsTable[]): Promise<void> {
  for (const [i, { head, rows }] of tables.entries()) {
    if (i > 0) await output.line('')
    await output.table(head, rows)
  }
}
