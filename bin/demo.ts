/**
 * `npm run demo`: shows replicas, each in a process of its own, that are cut off and killed and end
 * in the same state.
 */
import { runDemo } from './demo/run-demo.ts'

process.exitCode = await runDemo(process.argv.slice(2))
