/** `--trace`: replays a history and says whether every replica ends where the history ended. */
import { encode } from '../../../crdt/encoding/encoding.ts'
import { formatTable } from '../../table.ts'
import { failure, success } from '../pages.ts'
import type { Trace } from './trace-file.ts'
import { Replay, type ReplayOptions } from './trace-replay.ts'

/** Whether it ended as it should. Throws `UsageError` for what is wrong with the history. */
export async function replayTrace(trace: Trace, options: ReplayOptions & { readonly path: string }): Promise<boolean> {
  const { transactions, agentsCount } = trace
  const mergesCount = transactions.filter(({ parents }) => parents.length > 1).length
  console.log(
    `${options.path}: ${count(transactions.length)} transactions of ${agentsCount} authors, ${count(mergesCount)} merges; ` +
      `each author is a process with a log on disk that holds what they had seen (${options.strategy})`,
  )
  const replay = await Replay.open(trace, options)
  const isEqual = await run(replay, trace)
  await replay.close()
  return isEqual
}

async function run(replay: Replay, trace: Trace): Promise<boolean> {
  const startMs = performance.now()
  await replay.write()
  const writtenMs = performance.now()
  const operationsCount = await replay.converge()
  const convergedMs = performance.now()
  const seconds = (writtenMs - startMs) / 1000
  console.log(
    `wrote ${count(operationsCount)} operations in ${seconds.toFixed(1)} s (${count(operationsCount / seconds)} a second); ` +
      `after the last one, all of them were everywhere in ${(convergedMs - writtenMs).toFixed(0)} ms\n`,
  )
  const expected = encode(trace.endContent)
  const verdicts = (await replay.contents()).map((content) => Buffer.compare(encode(content), expected) === 0)
  const rows = (await replay.statuses()).map(({ heldCount, logBytes }, author) => {
    const { replica, child } = replay.authors[author]!
    const verdict = verdicts[author] === true ? 'equal' : 'DIFFERENT'
    return [String(author), String(child.pid), replica, count(heldCount), count(logBytes), verdict]
  })
  const head = ['author', 'process', 'replica', 'operations', 'bytes of log', 'compared with endContent']
  console.log(`${formatTable(head, rows)}\n`)
  const isEqual = verdicts.every(Boolean)
  console.log(
    isEqual ? success('Every replica ends where the history ended.') : failure('a replica differs from endContent.'),
  )
  return isEqual
}

function count(number: number): string {
  return Math.round(number).toLocaleString('en')
}
