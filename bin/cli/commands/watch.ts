/** `warp watch PATTERN`. */
import { command, type AnyCommand } from '../program/command.ts'
import { openTarget } from '../target/open-target.ts'
import { timeCell } from '../output/operation-cells.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { WATCH, type WatchedChange } from '../../../src/control/questions/watching.ts'
import { DATA_OPTIONS, type DataFlags, wholeNumber } from '../settings/shared-options.ts'
import { fromJson } from '../../../src/control/tagged-json.ts'
import { printable, showCell } from '../values.ts'

interface Flags extends DataFlags {
  readonly from?: string
  readonly count?: string
}

export const WATCH_COMMAND: AnyCommand = command<Flags, [pattern: string | undefined]>({
  name: 'watch',
  summary: 'print changes as they happen, until interrupted',
  details:
    'A value is that of the moment at which the change is looked at, never older than the operation. A gap says that changes were missed because ' +
    'they came faster than they were read. Where no process holds the folder, watch holds it, and other commands reach it through watch.',
  arguments: [{ name: '[pattern]', about: "which keys (default: all, '*')" }],
  options: [
    ...DATA_OPTIONS,
    {
      flags: '--from <cursor>',
      about: 'continue behind this cursor (see --json), or behind this version of the one key',
    },
    { flags: '--count <count>', about: 'end after so many changes' },
  ],
  examples: ["watch 'cart:*'", "watch 'user:*' --json", 'watch user:123 --from 2'],
  async run({ parameters: [pattern = '*'], options, output, signal }) {
    const countMax = wholeNumber('--count', options.count) ?? Number.POSITIVE_INFINITY
    await using target = await openTarget({ flags: options, output, signal, serves: true })
    let names = new ReplicaNames([], options.fullIds)
    let count = 0
    for await (const change of target.ask(WATCH, { pattern, ...fromOf(options) }, { signal })) {
      if (change.kind === 'watching') {
        output.note(`watching ${printable(pattern)} in ${target.data}`)
        continue
      }
      if (output.isJson) await output.json(change)
      else {
        // A writer that is new has perhaps said its name meanwhile.
        if (change.kind === 'value' && !names.knows(change.operation.dot.replica)) {
          names = await ReplicaNames.of(target, { fullIds: options.fullIds, signal })
        }
        await output.line(lineOf(change, names))
      }
      if (++count >= countMax) break
    }
    return undefined
  },
})

/** A cursor is never all digits. */
function fromOf({ from }: Flags): { readonly from?: string | number } {
  if (from === undefined) return {}
  return { from: /^\d+$/.test(from) ? Number(from) : from }
}

function lineOf(change: WatchedChange, names: ReplicaNames): string {
  if (change.kind === 'gap') return `gap: ${change.missedCount ?? 'an unknown number of'} changes missed`
  if (change.kind === 'expired') return `${timeCell(change.expiredAtMs)}  ${printable(change.key)} has expired`
  const { key, value, operation } = change
  const shown = value === undefined ? 'is gone' : `= ${showCell(fromJson(value))}`
  return `${timeCell(operation.timeMs)}  ${printable(key)} ${shown}  (${names.dot(operation.dot)})`
}
