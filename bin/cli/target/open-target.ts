/**
 * Finds what a command works on: the folder itself where no process holds it, otherwise the replica
 * that does, over its control socket. The command does not see which.
 *
 * The socket is tried first, since a running replica knows what its keys mean.
 */
import type { WarpEvent } from '../../../adapters/node/index.ts'
import { folderExists, loadConfig, type ConfigFlags } from '../settings/config.ts'
import { connectControl } from '../control/control-client.ts'
import type { ControlServer } from '../../../adapters/control/control-server.ts'
import { readParameters } from '../../../src/control/parameters.ts'
import { eventLine } from '../output/event-line.ts'
import { UsageError } from '../program/failure.ts'
import type { Output } from '../output/output.ts'
import type { AnyWarp } from '../../../src/control/question.ts'
import type { Target } from './target.ts'
import { whileLocked } from './while-locked.ts'

export interface TargetOptions {
  readonly flags: ConfigFlags
  readonly output: Output
  readonly signal: AbortSignal
  /** Whether a folder that is not there is made. */
  readonly creates?: boolean
  /**
   * Whether other commands reach the folder through this one while it holds it. For what does not
   * end soon.
   */
  readonly serves?: boolean
  /** Whether the command works without knowing what keys mean. Default `false`. */
  readonly isBlind?: boolean
}

/** Throws `UnreachableError`, `UsageError`, and what opening a folder throws. */
export async function openTarget(options: TargetOptions): Promise<Target> {
  const { flags, output, signal, serves, creates, isBlind = false } = options
  const config = await loadConfig(flags)
  const { data } = config
  if (creates !== true && !folderExists(data)) throw new UsageError(`there is no folder ${data}; see --data`)
  const progress = output.progress(`opening ${data}`, 'operations')
  const observe = (event: WarpEvent): void => output.note(eventLine(event))
  try {
    return await whileLocked(signal, async () => {
      const replica = await connectControl(data, signal)
      if (replica !== undefined) return replica
      // Whoever asks a running replica has no use for an engine.
      const { openFolder } = await import('./open-folder.ts')
      return folderTarget(await openFolder({ config, observe, isBlind }), data, serves)
    })
  } finally {
    progress.end()
  }
}

async function folderTarget(warp: AnyWarp, data: string, serves = false): Promise<Target> {
  const control = serves ? await served(warp, data) : undefined
  const close = async (): Promise<void> => {
    await control?.close()
    await warp.close()
  }
  return {
    warp,
    data,
    ask: (question, parameters, asked) =>
      question.answer(warp, readParameters(question.parameters, parameters, 'json'), { input: nothing(), ...asked }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** What is not served is not held. */
async function served(warp: AnyWarp, data: string): Promise<ControlServer> {
  try {
    const { ControlServer } = await import('../../../adapters/control/control-server.ts')
    return await ControlServer.open(warp, { data })
  } catch (error) {
    await warp.close()
    throw error
  }
}

async function* nothing(): AsyncGenerator<never, void, undefined> {
  // Most questions come alone.
}
