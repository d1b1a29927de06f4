/** `--trace`: replays a history and says whether every replica ends where the history ended. */
import type { DocumentKind } from './document.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { type Trace, readTrace } from './trace-file.ts'
import { Replay } from './trace-replay.ts'
import { formatTable } from '../table.ts'

/** Whether it ended as it should. Throws `UsageError` for what is wrong with the file. */
export async function replayTrace(path: string, strategy: DocumentKind): Promise<boolean> {
  const trace = readTrace(path)
  const { transactions, agentsCount } = trace
  const mergesCount = transactions.filter(({ parents }) => parents.length > 1).length
  console.log(
    `${path}: ${count(transactions.length)} transactions of ${agentsCount} authors, ${count(mergesCount)} merges; ` +
      `each author writes on a replica with a log on disk that holds what they had seen, and one more replica listens (${strategy})`,
  )
  const replay = await Replay.open(trace, { kind: strategy, folder: temporaryFolder() })
  try {
    return await run(replay, trace)
  } finally {
    await replay.close()
  }
}

async function run(replay: Replay, trace: Trace): Promise<boolean> {
  const startMs = performance.now()
  await replay.write()
  const writtenMs = performance.now()
  await replay.converge()
  const convergedMs = performance.now()
  const { operationsCount, replicas } = replay
  const seconds = (writtenMs - startMs) / 1000
  console.log(
    `wrote ${count(operationsCount)} operations in ${seconds.toFixed(1)} s (${count(operationsCount / seconds)} a second); ` +
      `after the last one, all of them were everywhere in ${(convergedMs - writtenMs).toFixed(0)} ms\n`,
  )
  const rows: string[][] = []
  let isEqual = true
  for (const [index, { name, warp, document }] of replicas.entries()) {
    const { replica, log } = warp.stats()
    const author = index < trace.agentsCount ? String(index) : '-'
    const isSame = (await document.read()) === trace.endContent
    isEqual &&= isSame
    rows.push([name, author, replica, count(log.operationsCount), count(log.bytes), isSame ? 'equal' : 'DIFFERENT'])
  }
  console.log(formatTable(['replica', 'author', 'id', 'operations', 'bytes of log', 'compared with endContent'], rows))
  console.log(
    isEqual ? '\nEvery replica ends where the history ended.' : '\nFAILED: a replica differs from endContent.',
  )
  return isEqual
}

function count(number: number): string {
  return Math.round(number).toLocaleString('en')
}
