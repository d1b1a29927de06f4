/**
 * Finds what a command works on: the folder itself where no process holds it, otherwise the replica that does, over its control socket. The
 * command does not see which.
 *
 * The socket is tried first, since a running replica knows what its keys mean. A folder that is held while nobody listens may be another
 * command's that is done in a moment, or a replica's that is just starting: it is tried again for a while.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isWarpError } from '../../adapters/node/index.ts'
import { folderExists, loadConfig, type Config, type ConfigFlags } from './config.ts'
import { connectControl } from './control-client.ts'
import { eventLine } from './event-line.ts'
import { UnreachableError, UsageError } from './failure.ts'
import { openFolder } from './open-folder.ts'
import type { Output } from './output.ts'
import { Fields, type AnyWarp } from './question.ts'
import type { Target } from './target.ts'
import type { Json } from './values.ts'

export interface TargetOptions {
  readonly flags: ConfigFlags
  readonly output: Output
  readonly signal: AbortSignal
  /** Whether a folder that is not there is made. */
  readonly creates?: boolean
}

const LOCKED_MS_MAX = 1500
const RETRY_MS = 50

/** Throws `UnreachableError`, `UsageError`, and what opening a folder throws. */
export async function openTarget(options: TargetOptions): Promise<Target> {
  const config = await loadConfig(options.flags)
  const { data } = config
  if (options.creates !== true && !folderExists(data)) throw new UsageError(`there is no folder ${data}; see --data`)
  const progress = options.output.progress(`opening ${data}`, 'operations')
  try {
    const giveUpAt = performance.now() + LOCKED_MS_MAX
    for (;;) {
      const target = (await connectControl(data)) ?? (await openedFolder(config, options, giveUpAt))
      if (target !== undefined) return target
      await delay(RETRY_MS, undefined, { signal: options.signal })
    }
  } finally {
    progress.end()
  }
}

/** `undefined`: it is locked, and it is not yet time to say so. */
async function openedFolder(config: Config, { output }: TargetOptions, giveUpAt: number): Promise<Target | undefined> {
  try {
    const warp = await openFolder({ config, observe: (event) => output.note(eventLine(event)) })
    return folderTarget(warp, config.data)
  } catch (error) {
    if (!isWarpError(error, 'WARP_E_LOG_LOCKED')) throw error
    if (performance.now() < giveUpAt) return undefined
    throw new UnreachableError(`${error.message}; it does not listen on a control socket`, { cause: error })
  }
}

export function folderTarget(warp: AnyWarp, data: string): Target {
  const close = (): Promise<void> => warp.close()
  return {
    warp,
    data,
    ask: (question, parameters, asked) =>
      question.answer(warp, question.parse(new Fields(parameters)), { input: nothing(), ...asked }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function* nothing(): AsyncGenerator<Json, void, undefined> {
  // Most questions come alone.
}
