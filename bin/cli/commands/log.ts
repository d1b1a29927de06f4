/** `warp log KEY`: the audit trail. */
import { command, type AnyCommand } from '../program/command.ts'
import { openTarget } from '../target/open-target.ts'
import { rangesCell, timeCell, wroteCell } from '../output/operation-cells.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { LOG, type LoggedOperation } from '../../../src/control/questions/history.ts'
import { DATA_OPTIONS, type DataFlags, wholeNumber } from '../settings/shared-options.ts'

interface Flags extends DataFlags {
  readonly from?: string
  readonly last?: string
}

const HEAD = ['version', 'who:operation', 'when (UTC)', 'wrote', 'concurrent with']

export const LOG_COMMAND: AnyCommand = command<Flags, [key: string]>({
  name: 'log',
  summary: "list a key's operations: who, when, what, concurrent with what",
  details:
    'In the order in which this replica took them in. Each names the operations above it that its writer had not seen. ' +
    'Payloads are what the strategy writes, not values.',
  arguments: [{ name: '<key>', about: 'the key' }],
  options: [
    ...DATA_OPTIONS,
    { flags: '--from <version>', about: 'leave out earlier versions' },
    { flags: '--last <count>', about: 'only so many, the newest' },
  ],
  examples: ['log user:123', 'log cart:7 --last 10', 'log user:123 --json'],
  async run({ parameters: [key], options, output, signal }) {
    const fromVersion = wholeNumber('--from', options.from) ?? 1
    const last = wholeNumber('--last', options.last)
    await using target = await openTarget({ flags: options, output, signal })
    const all = target.ask(LOG, { key, fromVersion }, { signal })
    const operations = last === undefined ? all : lastOf(all, last)
    if (output.isJson) for await (const operation of operations) await output.json(operation)
    else {
      const names = await ReplicaNames.of(target, { fullIds: options.fullIds, signal })
      await output.rows(HEAD, rowsOf(operations, names))
    }
    return undefined
  },
})

async function* rowsOf(
  operations: AsyncIterable<LoggedOperation>,
  names: ReplicaNames,
): AsyncGenerator<readonly string[]> {
  for await (const operation of operations) {
    const { version, dot, timeMs, concurrentWith } = operation
    yield [String(version), names.dot(dot), timeCell(timeMs), wroteCell(operation), rangesCell(concurrentWith, names)]
  }
}

async function* lastOf<Item>(items: AsyncIterable<Item>, count: number): AsyncGenerator<Item> {
  let kept: Item[] = []
  for await (const item of items) {
    kept.push(item)
    if (kept.length >= 2 * count) kept = kept.slice(-count)
  }
  yield* kept.slice(-count)
}
