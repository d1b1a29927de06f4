/** What both presets say: where the log is, how much stays in memory, who is told of events. */
import { checkTypeOf, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import { type CheckedKeys, type EventLogger, type KeyMap, logTo, type WarpOptions } from '../../src/index.ts'
import { fileLog } from '../file/index.ts'
import { processWarnings } from './process-warnings.ts'

export interface PresetOptions<K extends KeyMap> {
  /** As in `openWarp`: key pattern → strategy, bare or with options. */
  readonly keys: K & CheckedKeys<K>
  /** As in `openWarp`: what people call this replica. Default: none. */
  readonly name?: string
  /** The folder of a log on disk. Default: the log is in memory, and gone with the process. */
  readonly persist?: string
  /**
   * Told of events, as by `logTo`. Default: errors and warnings are warnings of the process, ten of
   * a kind in ten seconds at most. `false`: nobody is told.
   */
  readonly logger?: EventLogger | false
}

export const PRESET_OPTIONS: readonly string[] = optionNames<PresetOptions<KeyMap>>({
  ...{ keys: true, name: true, persist: true, logger: true },
})

/** What a preset gives of the options of `openWarp`, besides the networks. */
export type PresetDefaults<K extends KeyMap> = Pick<WarpOptions<K>, 'keys' | 'name' | 'log' | 'observe'> &
  Required<Pick<WarpOptions<K>, 'ack' | 'cache' | 'copies'>>

const MIB = 1024 * 1024

/** Throws `WARP_E_CONFIG`. Of the keys, opening says what is wrong. */
export function commonOptions<K extends KeyMap>(what: string, options: PresetOptions<K>): PresetDefaults<K> {
  checkTypeOf(what, options, 'persist', 'string')
  const { keys, name, persist, logger } = options
  return {
    keys,
    ...(name === undefined ? {} : { name }),
    ...(persist === undefined ? { ack: 'memory' } : { log: fileLog({ path: persist }), ack: 'logged' }),
    cache: { bytesMax: 256 * MIB },
    copies: { entriesMax: 100_000, bytesMax: 128 * MIB },
    ...(logger === false ? {} : { observe: logTo(checkedLogger(what, logger)) }),
  }
}

function checkedLogger(what: string, logger: EventLogger | undefined): EventLogger {
  const given: unknown = logger
  if (given === undefined) return processWarnings()
  if (typeof given === 'object' && given !== null) return logger as EventLogger // logTo looks at its methods
  throw refusedOption(what, 'logger', given, 'give a logger such as pino(), or false')
}
