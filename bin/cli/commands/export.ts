/** `warp export`. */
import { command, type AnyCommand } from '../program/command.ts'
import { openTarget } from '../target/open-target.ts'
import { EXPORT } from '../../../src/control/questions/transfer.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'

export const EXPORT_COMMAND: AnyCommand = command<DataFlags>({
  name: 'export',
  summary: 'write the whole log to stdout, as lines of JSON',
  details:
    'One line per operation, and one per key of which something has been compacted: all that `warp import` needs to make the same ' +
    'values, versions and explanations. Each line says in words what its bytes, in base64, hold. Keys of mode local are left out. ' +
    'What is written meanwhile is not in it. The output is JSON with and without --json.',
  options: DATA_OPTIONS,
  examples: ['export > backup.jsonl', 'export | jq \'select(.key == "user:123")\''],
  async run({ options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal, isBlind: true })
    const progress = output.progress(`exporting ${target.data}`, 'characters')
    try {
      let written = 0
      for await (const text of target.ask(EXPORT, {}, { signal })) {
        await output.write(text)
        progress.at((written += text.length))
      }
    } finally {
      progress.end()
    }
    return undefined
  },
})
