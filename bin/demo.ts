/** `npm run demo`: shows replicas that are cut off from each other end in the same state. Composes; see demo/ for what it does. */
import { HELP, parseRequest } from './demo/command-line.ts'
import { runScenario } from './demo/scenario.ts'
import { replayTrace } from './demo/trace.ts'
import { UsageError } from './demo/usage-error.ts'

async function main(): Promise<number> {
  const request = parseRequest(process.argv.slice(2))
  switch (request.kind) {
    case 'help':
      console.log(HELP)
      return 0
    case 'scenario':
      return (await runScenario()) ? 0 : 1
    case 'trace':
      return (await replayTrace(request.path, request.strategy)) ? 0 : 1
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n(npm run demo -- --help says what it can do)`)
  else console.error(error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
