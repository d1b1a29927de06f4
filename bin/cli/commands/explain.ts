/** `warp explain KEY`: why the value is what it is. */
import { command, type AnyCommand } from '../program/command.ts'
import { openTarget } from '../target/open-target.ts'
import { rangesCell, timeCell, wroteCell } from '../output/operation-cells.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { EXPLAIN, type ExplainedHead, type ExplainedItem } from '../../../src/control/questions/history.ts'
import { DATA_OPTIONS, wholeNumber, type DataFlags } from '../settings/shared-options.ts'
import { EXPLAINED_DEFAULT } from '../../../src/history/explanation.ts'
import { fromJson } from '../../../src/control/tagged-json.ts'
import { printable, showCell } from '../values.ts'

const HEAD = ['who:operation', 'when (UTC)', 'wrote', 'effect', 'concurrent with']

interface Flags extends DataFlags {
  readonly limit?: string
}

export const EXPLAIN_COMMAND: AnyCommand = command<Flags, [key: string]>({
  name: 'explain',
  summary: 'say which operations made a value, and what became of each',
  details:
    'In canonical order, in which every replica folds them. Effects: won and merged are in the value; superseded, cancelled, expired, ' +
    'rejected and set-aside are not; renewed began the life of the value anew; compacted is in a snapshot already. What stands in "concurrent with" are operations whose writers knew nothing of this ' +
    'one, and the other way round: web-1:7-12 are those that web-1 wrote from its 7th operation through its 12th.',
  arguments: [{ name: '<key>', about: 'the key' }],
  options: [
    ...DATA_OPTIONS,
    { flags: '--limit <count>', about: 'list so many operations, the newest (default: 1000)' },
  ],
  examples: ['explain user:123', 'explain cart:7 --json'],
  async run({ parameters: [key], options, output, signal }) {
    const limit = wholeNumber('--limit', options.limit) ?? EXPLAINED_DEFAULT
    await using target = await openTarget({ flags: options, output, signal })
    let head: ExplainedHead | undefined
    const operations: ExplainedItem[] = []
    for await (const item of target.ask(EXPLAIN, { key, limit }, { signal })) {
      if ('effect' in item) operations.push(item)
      else head = item
    }
    if (head === undefined) throw new Error('an explanation without its head')
    if (output.isJson) {
      await output.json({ ...head, operations })
      return undefined
    }
    await output.line(sentence(head))
    const names = await ReplicaNames.of(target, { fullIds: options.fullIds, signal })
    await output.table(
      HEAD,
      operations.map((item) => rowOf(item, names)),
    )
    return undefined
  },
})

function sentence({ key, value, strategy, compacted, earlierCount }: ExplainedHead): string {
  const what = value === undefined ? 'has no value' : `is ${showCell(fromJson(value))}`
  const before =
    compacted === undefined
      ? ''
      : `; ${compacted.operationsCount} operations up to ${timeCell(compacted.timeMs)} have been compacted`
  const unlisted = earlierCount === undefined ? '' : `; ${earlierCount} earlier operations are not listed: see --limit`
  return `${printable(key)} ${what} (${strategy})${before}${unlisted}`
}

function rowOf(item: ExplainedItem, names: ReplicaNames): readonly string[] {
  const { dot, timeMs, effect, concurrentWith } = item
  return [names.dot(dot), timeCell(timeMs), wroteCell(item), effect, rangesCell(concurrentWith, names)]
}
