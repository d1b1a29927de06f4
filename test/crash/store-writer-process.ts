/**
 * Writes registers and counters behind a PostgreSQL until it is killed: arguments are the address, the table, the folder of the log,
 * the seed and how long writes are held back. Says `tried KEY N` before a write and `acked KEY N` when it is in the log. A register
 * is set to one more than it was; a counter is raised by N.
 */
import { writeSync } from 'node:fs'
import { seededRandom } from '../../testing/world/random.ts'
import { KEYS_COUNT, openStored } from './store-keys.ts'

const [url = '', table = '', path = '', seed = '', flushDelayMs = '50'] = process.argv.slice(2)
const random = seededRandom(seed)
const say = (line: string): void => void writeSync(1, `${line}\n`)

say('starting')
const { warp } = await openStored({ url, table, path }, Number(flushDelayMs))
const WRITERS = 20

async function write(writer: number): Promise<never> {
  for (;;) {
    const i = random.below(KEYS_COUNT)
    if (random.chance(0.5)) {
      const amount = random.between(1, 9)
      say(`tried c:${i} ${amount}`)
      await warp.key(`c:${i}`).increment(amount)
      say(`acked c:${i} ${amount}`)
    } else {
      // Each register has one writer, so that it only goes up.
      const key = `k:${i - (i % WRITERS) + writer}` as const
      const next = ((await warp.get(key)) ?? 0) + 1
      say(`tried ${key} ${next}`)
      await warp.set(key, next)
      say(`acked ${key} ${next}`)
    }
  }
}

await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)))
