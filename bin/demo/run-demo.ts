/** The demo as a function: what `npm run demo` and `warp demo` call. */
import { HELP, parseRequest, type Request } from './command-line.ts'
import { runScenario } from './scenario.ts'
import { onStage } from './stage.ts'
import { replayTrace } from './authors/trace.ts'
import { readTrace } from './authors/trace-file.ts'
import { UsageError } from './usage-error.ts'

/**
 * Prints what happens, and returns the exit code: 0 if all replicas converged and nothing
 * acknowledged was lost, 1 if not, 2 if it cannot do what was asked, and by the convention of
 * shells after a signal. Leaves nothing behind.
 */
export async function runDemo(parameters: readonly string[]): Promise<number> {
  try {
    return await fulfil(parseRequest(parameters))
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\n(--help says what the demo can do)`)
    else console.error(error)
    return error instanceof UsageError ? 2 : 1
  }
}

async function fulfil(request: Request): Promise<number> {
  switch (request.kind) {
    case 'help':
      console.log(HELP)
      return 0
    case 'scenario':
      return onStage(async (stage) => codeOf(await runScenario(stage)))
    case 'trace': {
      const trace = readTrace(request.path)
      if (request.strategy === 'yjs') await requireYjs()
      return onStage(async (stage) => codeOf(await replayTrace(trace, { ...request, stage })))
    }
  }
}

/** Before any process is started that needs it. */
async function requireYjs(): Promise<void> {
  try {
    await import('../../crdt/documents/yjs.ts')
  } catch (cause) {
    throw new UsageError('--strategy yjs needs the package yjs, which is not installed: npm install yjs', { cause })
  }
}

function codeOf(isFine: boolean): number {
  return isFine ? 0 : 1
}
