/** `warp compact DIR`. */
import { WarpError } from '../../../crdt/warp-error.ts'
import { command, type AnyCommand } from '../program/command.ts'
import { loadConfig, folderExists, keysOf, type Config, type ConfigFlags } from '../settings/config.ts'
import { connectControl } from '../control/control-client.ts'
import { UsageError } from '../program/failure.ts'
import { eventLine } from '../output/event-line.ts'
import type { Output } from '../output/output.ts'
import type { AnyWarp } from '../../../src/control/question.ts'
import { COMPACT, type Compacted } from '../../../src/control/questions/transfer.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { only } from '../target/target.ts'
import { whileLocked } from '../target/while-locked.ts'

interface Flags extends DataFlags {
  readonly alone?: boolean
}

export const COMPACT_COMMAND: AnyCommand = command<Flags, [folder: string | undefined]>({
  name: 'compact',
  summary: 'fold away what the keys need not retain, and give its space back',
  details:
    'A running replica folds away what all members of its cluster are known to have. A folder that nobody holds cannot know that: if it ' +
    'holds operations of other replicas, they may lack what is folded away here, and would have to take over this whole state. So it is ' +
    'refused unless --alone says that this folder is on its own. Keys that retain everything, which is the default, stay as they are.',
  arguments: [{ name: '[folder]', about: "the data's folder, like --data" }],
  options: [...DATA_OPTIONS, { flags: '--alone', about: 'there are no other replicas that could lack anything' }],
  examples: ['compact ./data', 'compact ./data --alone'],
  async run({ parameters: [folder], options, output, signal }) {
    const flags: ConfigFlags = folder === undefined ? options : { ...options, data: folder }
    const config = await loadConfig(flags)
    if (!folderExists(config.data)) throw new UsageError(`there is no folder ${config.data}`)
    const progress = output.progress(`compacting ${config.data}`, 'operations')
    try {
      const compacted = await whileLocked(signal, () => compact(config, { alone: options.alone, output, signal }))
      if (output.isJson) await output.json(compacted)
      else await output.line(summaryOf(compacted))
    } finally {
      progress.end()
    }
    return undefined
  },
})

interface Circumstances {
  readonly alone: boolean | undefined
  readonly output: Output
  readonly signal: AbortSignal
}

async function compact(config: Config, { alone, output, signal }: Circumstances): Promise<Compacted> {
  const replica = await connectControl(config.data, signal)
  if (replica !== undefined) {
    await using target = replica
    return await only(target.ask(COMPACT, {}, { signal }))
  }
  await using warp = await openAlone(config, output)
  const { othersCount, bytes: before } = warp.stats().log
  if (othersCount > 0 && alone !== true) throw notAlone(config.data, othersCount)
  const compaction = await warp.compact({ signal })
  const { bytes } = warp.stats().log
  return { ...compaction, freedBytes: Math.max(0, before - bytes), bytes }
}

/** Without a transport: with one, the engine would wait for others to say what they have. */
async function openAlone(config: Config, output: Output): Promise<AnyWarp> {
  const { openWarp } = await import('../../../adapters/node/index.ts')
  const { fileLog } = await import('../../../adapters/file/index.ts')
  return openWarp({
    ...config.engine,
    keys: await keysOf(config),
    log: fileLog({ path: config.data }),
    observe: (event) => output.note(eventLine(event)),
  })
}

function notAlone(data: string, othersCount: number): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `${data} holds operations of ${othersCount} other replicas, which may lack what would be folded away; ` +
      'compact through the running replica (warp start), or give --alone if there are no others any more',
    { details: { othersCount } },
  )
}

function summaryOf({ droppedOperationsCount, freedBytes, bytes }: Compacted): string {
  return `folded ${droppedOperationsCount} operations away and freed ${freedBytes} bytes; the log takes ${bytes} now`
}
