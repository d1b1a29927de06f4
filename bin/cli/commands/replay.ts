/** `warp replay DIR --with CONFIG`. */
import type { ReplayedKey, ReplayedValue } from '../../../adapters/node/index.ts'
import { command, type AnyCommand } from '../program/command.ts'
import { folderExists, keysOf, loadConfig } from '../settings/config.ts'
import { EXIT } from '../program/exit-codes.ts'
import { UsageError } from '../program/failure.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { toJson, type Json } from '../../../src/control/tagged-json.ts'
import { printable, showCell } from '../values.ts'

interface Flags extends DataFlags {
  readonly with?: string
}

const HEAD = ['key', 'would be', 'is', 'would read']

export const REPLAY_COMMAND: AnyCommand = command<Flags, [folder: string | undefined]>({
  name: 'replay',
  summary: 'show which values would differ if the keys meant something else',
  details:
    'Folds every key by the configuration that it has and by the one of --with, and lists the keys whose values differ. Nothing is ' +
    'changed. Operations are given to the other strategy as they are; how many it refused is told. Exit code 1 if anything differs. ' +
    'The folder must not be held by a process.',
  arguments: [{ name: '[folder]', about: "the data's folder, like --data" }],
  options: [...DATA_OPTIONS, { flags: '--with <file>', about: 'the other configuration' }],
  examples: ['replay ./data --with next.config.mjs', 'replay --with next.config.mjs --json'],
  async run({ parameters: [folder], options, output, signal }) {
    if (options.with === undefined) throw new UsageError('--with is missing: name the other configuration')
    const config = await loadConfig(folder === undefined ? options : { ...options, data: folder })
    const other = await loadConfig({ config: options.with })
    if (!folderExists(config.data)) throw new UsageError(`there is no folder ${config.data}`)
    const { replayLog } = await import('../../../adapters/node/index.ts')
    const { fileLog } = await import('../../../adapters/file/index.ts')
    const [keys, instead] = [await keysOf(config), await keysOf(other)]
    const progress = output.progress(`replaying ${config.data}`, 'keys')
    let keysCount = 0
    let differencesCount = 0
    const log = { ...fileLog({ path: config.data, readOnly: true }), name: config.data }
    const onProgress = ({ done, total }: { readonly done: number; readonly total: number }): void => {
      keysCount = total
      progress.at(done, total)
    }
    const found = counted(replayLog({ log, keys, with: instead, onProgress, signal }), () => differencesCount++)
    try {
      if (output.isJson) for await (const one of found) await output.json(jsonOf(one))
      else await output.rows(HEAD, rowsOf(found))
    } finally {
      progress.end()
    }
    if (!output.isJson) await output.line(`${differencesCount} of ${keysCount} keys would differ`)
    return differencesCount === 0 ? EXIT.ok : EXIT.no
  },
})

async function* counted<Item>(items: AsyncIterable<Item>, count: () => unknown): AsyncGenerator<Item> {
  for await (const item of items) {
    count()
    yield item
  }
}

async function* rowsOf(found: AsyncIterable<ReplayedKey>): AsyncGenerator<readonly string[]> {
  for await (const { key, kind, before, after } of found) yield [printable(key), kind, cellOf(before), cellOf(after)]
}

function cellOf({ strategy, value, rejectedCount, unreadable }: ReplayedValue): string {
  if (strategy === undefined) return '(no pattern)'
  if (unreadable !== undefined) return `(${unreadable})`
  const refused = rejectedCount === 0 ? '' : ` (${strategy} refused ${rejectedCount} operations)`
  return `${value === undefined ? '(none)' : showCell(value)}${refused}`
}

function jsonOf({ key, kind, before, after }: ReplayedKey): Json {
  return { key, kind, before: sideJson(before), after: sideJson(after) }
}

function sideJson({ strategy, value, rejectedCount, unreadable }: ReplayedValue): Json {
  return {
    strategy: strategy ?? null,
    ...(value === undefined ? {} : { value: toJson(value) }),
    rejectedCount,
    ...(unreadable === undefined ? {} : { unreadable }),
  }
}
