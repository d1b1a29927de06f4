/** How the commands over real processes end. */
import { rmSync } from 'node:fs'

/**
 * Ends the process with 1 if `run` finds a violation or throws. The folders of the replicas are then
 * kept, to be looked at.
 */
export async function endWith(run: () => Promise<readonly unknown[]>, folder: string): Promise<never> {
  let isFailed = true
  try {
    isFailed = (await run()).length > 0
  } finally {
    if (!isFailed) rmSync(folder, { recursive: true, force: true })
    else console.log(`the folders are kept: ${folder}`)
  }
  process.exit(isFailed ? 1 : 0)
}
