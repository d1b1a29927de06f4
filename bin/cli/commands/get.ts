/** `warp get KEY`. */
import { command, type AnyCommand } from '../program/command.ts'
import { EXIT } from '../program/exit-codes.ts'
import { GET } from '../../../src/control/questions/reading.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { openTarget } from '../target/open-target.ts'
import { only } from '../target/target.ts'
import { fromJson } from '../../../src/control/tagged-json.ts'
import { show } from '../values.ts'

export const GET_COMMAND: AnyCommand = command<DataFlags, [key: string]>({
  name: 'get',
  summary: "print a key's value",
  details: 'Exit code 1 if there is none. With --json the value itself, or null.',
  arguments: [{ name: '<key>', about: 'the key' }],
  options: DATA_OPTIONS,
  examples: ['get user:123', 'get cart:7 --json'],
  async run({ parameters: [key], options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal })
    const { value } = await only(target.ask(GET, { key }, { signal }))
    if (output.isJson) await output.json(value ?? null)
    else if (value !== undefined) await output.line(show(fromJson(value)))
    return value === undefined ? EXIT.no : EXIT.ok
  },
})
