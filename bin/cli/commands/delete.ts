/** `warp delete KEY`. */
import { command, type AnyCommand } from '../program/command.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { openTarget } from '../target/open-target.ts'
import { DELETE } from '../../../src/control/questions/writing.ts'
import { DATA_OPTIONS } from '../settings/shared-options.ts'
import { only } from '../target/target.ts'
import { DURABLE_OPTION, printWritten, type WriteFlags } from '../settings/write-options.ts'

export const DELETE_COMMAND: AnyCommand = command<WriteFlags, [key: string]>({
  name: 'delete',
  summary: 'delete a key',
  details:
    "What this replica has seen of it; what others write meanwhile survives, unless the strategy's deletes are ordered.",
  arguments: [{ name: '<key>', about: 'the key' }],
  options: [...DATA_OPTIONS, DURABLE_OPTION],
  examples: ['delete user:123'],
  async run({ parameters: [key], options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal })
    await printWritten(
      output,
      await only(target.ask(DELETE, { key, durable: options.durable ?? false }, { signal })),
      () => ReplicaNames.of(target, { fullIds: options.fullIds, signal }),
    )
    return undefined
  },
})
