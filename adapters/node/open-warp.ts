/**
 * The engine with Node's clock, timers and randomness, and with a control socket if that is wanted.
 */
import { checkOptions, optionNames } from '../../crdt/checked-options.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import {
  ALL_PARTS,
  openWarpOn,
  type ComposedPlatform,
  type KeyMap,
  type LogStore,
  type Warp,
  type WarpOptions,
} from '../../src/index.ts'
import type { AnyWarp } from '../../src/control/question.ts'
import { nodeEnv } from './node-env.ts'

/** Where the control socket is. */
export interface ControlOptions {
  /** The socket's path, of at most 100 bytes. Default: `control.sock` in the folder of the log. */
  readonly path?: string
}

export interface OpenWarpOptions<K extends KeyMap> extends WarpOptions<K> {
  /**
   * Answers the command `warp`, and curl, over a socket beside the log, while this process runs:
   * `warp log`, `explain`, `peers`, `stats`, `watch`, also `set` and `compact` (docs/cli.md). Only
   * the owner of the process may use it. Needs a log with a folder, or a path; the command finds
   * the socket from the folder. Not on Windows. Default `false`.
   */
  readonly control?: boolean | ControlOptions
}

/**
 * V8 does not count shared buffers. It would collect the whole heap for each 32 MB of the log that
 * it counts.
 */
const SHARED_MEMORY: NonNullable<ComposedPlatform['memory']> = {
  allocate: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
}

const CONTROL_OPTIONS = optionNames<ControlOptions>({ path: true })

/**
 * Opens an engine: reads its log, joins its networks. Close it when done (`await using` does).
 *
 * Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`, `WARP_E_LINEARIZABLE_UNSUPPORTED` for what it is given,
 * and `WARP_E_LOG_LOCKED`, `WARP_E_LOG_CORRUPT`, `WARP_E_LOG_FOREIGN`, `WARP_E_LOG_VERSION`,
 * `WARP_E_STORAGE` for what it finds.
 */
export async function openWarp<const K extends KeyMap>(options: OpenWarpOptions<K>): Promise<Warp<K>> {
  const { control = false, ...others } =
    (options as OpenWarpOptions<K> | null | undefined) ?? ({} as OpenWarpOptions<K>)
  const warn = (message: string): void => process.emitWarning(message, 'WarpWarning')
  const platform: ComposedPlatform = { env: nodeEnv(), memory: SHARED_MEMORY, parts: ALL_PARTS, warn }
  if (control === false) return openWarpOn<K>(platform, others)
  return openWarpOn<K>({ ...platform, openDoor: doorAt(control === true ? {} : control, others.log) }, others)
}

/** Loaded when it is wanted: most processes have no use for a server. */
function doorAt(options: ControlOptions, log: LogStore | undefined): NonNullable<ComposedPlatform['openDoor']> {
  checkOptions('openWarp: control', options, CONTROL_OPTIONS)
  const { path } = options
  const folder = log?.folder
  if (process.platform === 'win32') {
    throw new WarpError('WARP_E_CONFIG', 'control needs Unix sockets, which Windows has not; leave it out there')
  }
  if (folder === undefined && path === undefined) {
    throw new WarpError(
      'WARP_E_CONFIG',
      `control needs a log with a folder, and ${log === undefined ? 'the log is in memory' : `${log.name} has none`}; ` +
        'give log: fileLog({ path }), or the place of the socket with control: { path }',
    )
  }
  const place = { ...(folder === undefined ? {} : { data: folder }), ...(path === undefined ? {} : { path }) }
  return async (warp) => {
    const { ControlServer } = await import('../control/control-server.ts')
    return ControlServer.open(warp as AnyWarp, place) // the engine that has just been opened
  }
}
