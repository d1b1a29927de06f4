/** `warp import`. */
import { command, type AnyCommand } from '../program/command.ts'
import { openTarget } from '../target/open-target.ts'
import type { Progress } from '../output/progress.ts'
import { IMPORT } from '../../../src/control/questions/transfer.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { only } from '../target/target.ts'

export const IMPORT_COMMAND: AnyCommand = command<DataFlags>({
  name: 'import',
  summary: 'read from stdin what warp export wrote',
  details:
    'Into an empty folder, which then holds the same, or into one that holds something already, which keeps it. What is there already ' +
    'stays as it is, so importing twice is importing once. Every line is checked; the first that is wrong ends it, and is named.',
  options: DATA_OPTIONS,
  examples: ['import < backup.jsonl', 'export --data ./a | warp import --data ./b'],
  async run({ options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal, creates: true })
    const progress = output.progress(`importing into ${target.data}`, 'characters')
    try {
      const imported = await only(target.ask(IMPORT, {}, { signal, input: standardInput(progress) }))
      if (output.isJson) await output.json(imported)
      else await output.line(summaryOf(imported))
    } finally {
      progress.end()
      // Whoever writes there may take its time, or for ever.
      process.stdin.destroy()
    }
    return undefined
  },
})

interface Counts {
  readonly operationsCount: number
  readonly duplicatesCount: number
  readonly snapshotsCount: number
}

function summaryOf({ operationsCount, duplicatesCount, snapshotsCount }: Counts): string {
  const compacted = snapshotsCount === 0 ? '' : `, the compacted state of ${snapshotsCount} keys`
  return `imported ${operationsCount} operations${compacted}; ${duplicatesCount} were here already`
}

async function* standardInput(progress: Progress): AsyncGenerator<string, void, undefined> {
  let read = 0
  for await (const text of process.stdin.setEncoding('utf8') as AsyncIterable<string>) {
    progress.at((read += text.length))
    yield text
  }
}
