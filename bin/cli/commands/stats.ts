/** `warp stats`. */
import { command, type AnyCommand } from '../program/command.ts'
import { openTarget } from '../target/open-target.ts'
import { STATS } from '../../../src/control/questions/watching.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { only } from '../target/target.ts'
import { toJson } from '../../../src/control/tagged-json.ts'
import { showCell } from '../values.ts'

export const STATS_COMMAND: AnyCommand = command<DataFlags>({
  name: 'stats',
  summary: 'print what the replica counts',
  details: 'Counts are since it was opened, which for a folder that nobody holds is now.',
  options: DATA_OPTIONS,
  examples: ['stats', 'stats --json'],
  async run({ options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal })
    const stats = await only(target.ask(STATS, {}, { signal }))
    if (output.isJson) await output.json(toJson(stats))
    else await output.table(['what', 'now'], rowsOf('', stats))
    return undefined
  },
})

/** `log.bytes 4096`: one row per number. */
function rowsOf(prefix: string, value: object): string[][] {
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const isGroup = typeof item === 'object' && item !== null && !Array.isArray(item)
    if (isGroup) return rowsOf(path, item)
    return [[path, typeof item === 'string' ? item : showCell(Array.isArray(item) ? item.length : item)]]
  })
}
