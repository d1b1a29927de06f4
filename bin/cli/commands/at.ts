/** `warp at KEY TIME|VERSION`. */
import { command, type AnyCommand } from '../program/command.ts'
import { EXIT } from '../program/exit-codes.ts'
import { parseMoment } from '../settings/moment.ts'
import { openTarget } from '../target/open-target.ts'
import { AT } from '../../../src/control/questions/history.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { only } from '../target/target.ts'
import { fromJson } from '../../../src/control/tagged-json.ts'
import { show } from '../values.ts'

export const AT_COMMAND: AnyCommand = command<DataFlags, [key: string, moment: string]>({
  name: 'at',
  summary: "print a key's value at a moment of the past",
  details:
    'A moment is a version (12: the first so many operations that this replica took in, as log counts them), a time in ISO 8601 ' +
    '(with Z for UTC) or as @ and milliseconds since 1970, or how long ago (90s, 5m, 2h, 1d). Exit code 1 if there was no value then.',
  arguments: [
    { name: '<key>', about: 'the key' },
    { name: '<moment>', about: 'a version, a time, or how long ago' },
  ],
  options: DATA_OPTIONS,
  examples: ['at user:123 2', 'at user:123 2026-01-31T12:00:00Z', 'at user:123 5m'],
  async run({ parameters: [key, text], options, output, signal }) {
    const moment = parseMoment(text, Date.now())
    await using target = await openTarget({ flags: options, output, signal })
    const { value } = await only(target.ask(AT, { key, ...moment }, { signal }))
    if (output.isJson) await output.json(value ?? null)
    else if (value !== undefined) await output.line(show(fromJson(value)))
    return value === undefined ? EXIT.no : EXIT.ok
  },
})
