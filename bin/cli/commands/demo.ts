/** `warp demo`: the same as `npm run demo`. Loaded when it is asked for. */
import { command, type AnyCommand } from '../program/command.ts'
import type { ExitCode } from '../program/exit-codes.ts'

export const DEMO_COMMAND: AnyCommand = command<object, string[]>({
  name: 'demo',
  summary: 'show replicas that are cut off from each other end in the same state',
  arguments: [{ name: '[options...]', about: 'what the demo itself takes; --help lists it' }],
  passesThrough: true,
  examples: ['demo', 'demo --trace history.json.gz'],
  async run({ parameters }) {
    const { runDemo } = await import('../../demo/run-demo.ts')
    return (await runDemo(parameters)) as ExitCode // by the same conventions
  },
})
