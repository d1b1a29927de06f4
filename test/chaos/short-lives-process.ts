/**
 * `npm run short-lives [-- --lives N] [--pause MS]`: 20,000 short-lived replicas, one in fifty of
 * which dies, through a cluster of three on virtual time, ten every six seconds; then the same writes
 * by three that never change. What the three hold in the end has to be the same.
 */
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterSameWrites, afterShortLives, type Rest } from '../support/short-lives.ts'

const USAGE = 'npm run short-lives [-- --lives <n>] [--pause <ms>]; numbers, of lives greater than 0'
const SAID_EVERY = 1000

const { values: flags } = parseArgs({
  options: { lives: { type: 'string', default: '20000' }, pause: { type: 'string', default: '5000' } },
})
const [livesCount, pauseMs] = [Number(flags.lives), Number(flags.pause)]
if (!(livesCount > 0) || !(pauseMs >= 0)) {
  console.error(USAGE)
  process.exit(2)
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heapBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}

function line(name: string, of: (rest: Rest & { readonly heapBytes: number }) => number): void {
  console.log(`${name.padEnd(34)}${String(of(changed)).padStart(12)}${String(of(same)).padStart(12)}`)
}

const lives = { livesCount, waveSize: 10, pauseMs, deathEvery: 50, onRest: heapBytes }
const beforeBytes = heapBytes()
const changed = await afterShortLives({
  ...lives,
  onWave: (count, { vectorEntries }) => {
    if (count % SAID_EVERY > 0) return
    const seconds = Math.round(process.cpuUsage().user / 1e6)
    console.error(`${count} have come and gone: ${seconds} s of work, a vector names ${vectorEntries}`)
  },
})
const same = await afterSameWrites(lives)
console.log(`${livesCount} short-lived replicas, ${changed.deathsCount} of them died`)
console.log(`${''.padEnd(34)}${'with them'.padStart(12)}${'without'.padStart(12)}`)
line('entries of a vector', (rest) => rest.vectorEntries)
line('bytes of a frame at rest', (rest) => rest.digestBytes)
line('replicas that are known', (rest) => rest.membersCount)
line('operations kept', (rest) => rest.operationsCount)
line('bytes of the log that are needed', (rest) => rest.logBytes)
line('bytes of the heap, of all three', (rest) => rest.heapBytes - beforeBytes)
line('ids that were pruned', (rest) => rest.prunedCount)
const isRight =
  changed.countsSum === 3 * livesCount &&
  changed.prunedCount === livesCount &&
  changed.vectorEntries === same.vectorEntries &&
  changed.operationsCount <= same.operationsCount
console.log(isRight ? 'as without them' : `not as without them: ${changed.countsSum / 3} increments count`)
process.exit(isRight ? 0 : 1)
