/**
 * A process that opens log folders on demand, run by the tests of the folder lock: reads one command a line, answers one line.
 *
 * - `open PATH` answers `held`, or the code of the error; `close` answers `closed`.
 * - `hammer PATH ROUNDS SEED DEAD` opens the folder again and again, half of the time leaving a lock behind as if it had
 *   died (in the name of DEAD, a holder that is), and answers `wins N doubles N errors TEXT`.
 *
 * As a worker thread it opens the folder `workerData.path`, says so, and waits for its end.
 */
import { randomUUID } from 'node:crypto'
import { openSync, closeSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { fileLog } from '../../../adapters/file/index.ts'
import type { LogFiles } from '../../../src/ports/files.ts'
import { type Random, seededRandom } from '../../../testing/world/random.ts'

let held: LogFiles | undefined

if (!isMainThread) {
  parentPort?.postMessage(await open((workerData as { path: string }).path))
  await new Promise((resolve) => parentPort?.once('message', resolve))
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(await answer(line.split(' ')))
}

async function answer([command, path = '', rounds, seed = '', dead = '']: string[]): Promise<string> {
  if (command === 'open') return open(path)
  if (command === 'close') return close()
  return hammer(path, Number(rounds), { random: seededRandom(seed), dead })
}

async function open(path: string): Promise<string> {
  try {
    held = await fileLog({ path }).open()
    return 'held'
  } catch (cause) {
    return isWarpError(cause) ? cause.code : String(cause)
  }
}

async function close(): Promise<string> {
  await held?.close()
  return 'closed'
}

async function hammer(
  path: string,
  rounds: number,
  { random, dead }: { random: Random; dead: string },
): Promise<string> {
  let wins = 0
  let doubles = 0
  const errors = new Set<string>()
  for (let round = 0; round < rounds; round++) {
    try {
      const files = await fileLog({ path }).open()
      wins++
      if (!alone(join(path, 'holder'))) doubles++
      if (random.chance(0.5)) await files.close()
      else leaveDead(path, dead)
    } catch (cause) {
      if (!isWarpError(cause, 'WARP_E_LOG_LOCKED')) errors.add(String(cause))
    }
  }
  return `wins ${wins} doubles ${doubles} errors ${[...errors].join('; ')}`
}

/** Whether nobody else holds the folder at the same time. */
function alone(marker: string): boolean {
  try {
    closeSync(openSync(marker, 'wx'))
    rmSync(marker)
    return true
  } catch {
    return false // somebody else's marker is there, or was taken for ours
  }
}

function leaveDead(path: string, dead: string): void {
  const temporary = join(path, `dead-${randomUUID()}`)
  writeFileSync(temporary, JSON.stringify({ ...(JSON.parse(dead) as object), token: randomUUID() }))
  renameSync(temporary, join(path, 'warp.lock'))
}
