/** `warp keys PATTERN`. */
import { command, type AnyCommand } from '../program/command.ts'
import { KEYS } from '../../../src/control/questions/reading.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { openTarget } from '../target/open-target.ts'
import { printable } from '../values.ts'

interface Flags extends DataFlags {
  readonly dead?: boolean
}

export const KEYS_COMMAND: AnyCommand = command<Flags, [pattern: string | undefined]>({
  name: 'keys',
  summary: 'list the keys that have a value',
  details: 'One per line, in no particular order. With --json each is a JSON string.',
  arguments: [{ name: '[pattern]', about: "which: * for any run of characters, ? for one (default: all, '*')" }],
  options: [...DATA_OPTIONS, { flags: '--dead', about: 'deleted and expired keys too, that are not forgotten yet' }],
  examples: ["keys 'user:*'", "keys 'cart:*' --json"],
  async run({ parameters: [pattern = '*'], options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal })
    for await (const key of target.ask(KEYS, { pattern, dead: options.dead ?? false }, { signal })) {
      if (output.isJson) await output.json(key)
      else await output.line(printable(key))
    }
    return undefined
  },
})
