/** `warp check PATTERN`. */
import { CHECK, type CheckedStores, type FoundDrift } from '../../../src/control/questions/checking.ts'
import { command, type AnyCommand } from '../program/command.ts'
import { EXIT } from '../program/exit-codes.ts'
import { DATA_OPTIONS, type DataFlags, wholeNumber } from '../settings/shared-options.ts'
import { openTarget } from '../target/open-target.ts'
import { printable } from '../values.ts'

interface Flags extends DataFlags {
  readonly mode?: string
  readonly perSecond?: string
}

export const CHECK_COMMAND: AnyCommand = command<Flags, [pattern: string | undefined]>({
  name: 'check',
  summary: 'compare what is in memory of keys with their rows in the primary store',
  details:
    'Asks the process that holds the data, which has the stores (openWarp({ control: true })), and is about the copies of that process: ' +
    'ask each. A key is named if its copy and its row differ though nothing is under way, twice, a second apart; see "Does memory say what ' +
    'the store says?" in docs/data-layer.md for the kinds. Exit code 1 if any was found, healed or not. Values are not printed.',
  arguments: [{ name: '[pattern]', about: "which: * for any run of characters, ? for one (default: all, '*')" }],
  options: [
    ...DATA_OPTIONS,
    {
      flags: '--mode <mode>',
      about: 'noop (default): print; alert: each is an event of the process, too; heal: and its copy goes',
      choices: ['noop', 'alert', 'heal'],
    },
    {
      flags: '--per-second <count>',
      about: 'look at so many keys in a second (default: as fast as the store answers)',
    },
  ],
  examples: ["check 'user:*'", "check 'user:*' --mode heal --per-second 100", 'check --json'],
  async run({ parameters: [pattern = '*'], options, output, signal }) {
    const perSecond = wholeNumber('--per-second', options.perSecond)
    await using target = await openTarget({ flags: options, output, signal })
    const asked = { pattern, mode: options.mode ?? 'noop', ...(perSecond === undefined ? {} : { perSecond }) }
    let driftsCount = 0
    for await (const item of target.ask(CHECK, asked, { signal })) {
      driftsCount += item.kind === 'drift' ? 1 : 0
      if (output.isJson) await output.json(item)
      else await output.line(item.kind === 'drift' ? driftLine(item) : summaryLine(item))
    }
    return driftsCount === 0 ? EXIT.ok : EXIT.no
  },
})

const HEALED: Readonly<Record<FoundDrift['healed'], string>> = {
  none: '',
  voided: ', its copy has gone',
  flushing: ', its copy has gone, and what the row lacks goes to the store again',
}

function driftLine({ key, drift, store, healed }: FoundDrift): string {
  return `${drift}  ${printable(key)}  (${printable(store)})${HEALED[healed]}`
}

function summaryLine({ comparedCount, skippedCount, driftsCount }: CheckedStores): string {
  const skipped = skippedCount === 0 ? '' : `; of ${skippedCount} nothing can be said now, since something is under way`
  return `${comparedCount} compared, ${driftsCount} drift${driftsCount === 1 ? '' : 's'}${skipped}`
}
