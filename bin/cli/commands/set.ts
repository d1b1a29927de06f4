/** `warp set KEY VALUE`. */
import { command, type AnyCommand } from '../program/command.ts'
import { SET } from '../../../src/control/questions/writing.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { openTarget } from '../target/open-target.ts'
import { only } from '../target/target.ts'
import { parseValue } from '../values.ts'
import { WRITE_OPTIONS, printWritten, type WriteFlags } from '../settings/write-options.ts'

export const SET_COMMAND: AnyCommand = command<WriteFlags, [key: string, value: string]>({
  name: 'set',
  summary: 'write a whole value',
  details:
    'The value is JSON if it reads as JSON, otherwise text. What JSON lacks is written as {"$bigint":"12"}, {"$bytes":"aGk="}, ' +
    '{"$date":"2026-01-01T00:00:00Z"}. Keys whose strategy has no set are written with do. ' +
    'A folder that is not there is made.',
  arguments: [
    { name: '<key>', about: 'the key' },
    { name: '<value>', about: 'JSON or text' },
  ],
  options: WRITE_OPTIONS,
  examples: [`set user:123 '{"name":"Alice"}'`, 'set motd --text 42'],
  async run({ parameters: [key, value], options, output, signal }) {
    const { text = false, durable = false } = options
    await using target = await openTarget({ flags: options, output, signal, creates: true })
    const asked = target.ask(SET, { key, value: parseValue(value, text), durable }, { signal })
    await printWritten(output, await only(asked), () => ReplicaNames.of(target, { fullIds: options.fullIds, signal }))
    return undefined
  },
})
