/** `warp evict NAME`. */
import { command, type AnyCommand } from '../program/command.ts'
import { openTarget } from '../target/open-target.ts'
import { EVICT } from '../../../src/control/questions/watching.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { only } from '../target/target.ts'

export const EVICT_COMMAND: AnyCommand = command<DataFlags, [replica: string]>({
  name: 'evict',
  summary: 'give up a replica that does not come back',
  details:
    'Nobody waits for it any more, so what the others have can be folded away. What it alone had is lost unless it comes back: then it ' +
    'takes part again under a new id, and writes again what the others lack. A replica that is up is not given up: close it first.',
  arguments: [{ name: '<replica>', about: 'its name, or its id or the beginning of one' }],
  options: DATA_OPTIONS,
  examples: ['evict web-7', 'evict 5f3a09c2'],
  async run({ parameters: [replica], options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal })
    const evicted = await only(target.ask(EVICT, { replica }, { signal }))
    if (output.isJson) await output.json(evicted)
    else await output.line(`given up: ${evicted.replica}`)
    return undefined
  },
})
