/**
 * Writes registers and counters through the public face, into the folder named by the first argument, until it is killed. The
 * second argument is the seed. Says, one a line:
 *
 * - `tried KEY N` before a write: a register is set to N (one more than it was), a counter is raised by N;
 * - `acked REPLICA SEQUENCE KEY N` when the write has settled.
 *
 * Each register has one writer, so that its value can only go up; the counters belong to all writers.
 */
import { writeSync } from 'node:fs'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import type { Receipt } from '../../src/store/write-road/receipt.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { COUNTERS_COUNT, KEYS, REGISTERS_COUNT } from './engine-keys.ts'

const [path = '', seed = ''] = process.argv.slice(2)
const random = seededRandom(seed)
const say = (line: string): void => void writeSync(1, `${line}\n`)

say('starting')
const warp = await openWarp({ log: fileLog({ path }), keys: KEYS })
await Promise.all(Array.from({ length: REGISTERS_COUNT }, (_, index) => write(`k:${index}`)))

async function write(register: `k:${number}`): Promise<never> {
  for (let n = (await warp.get(register)) ?? 0; ;) {
    const ack = random.chance(0.3) ? 'durable' : 'logged'
    if (random.chance(0.5)) {
      n++
      await said(register, n, () => warp.set(register, n, { ack }))
    } else {
      const key = `c:${random.below(COUNTERS_COUNT)}` as const
      const amount = random.between(1, 9)
      await said(key, amount, () => warp.key(key).with({ ack }).increment(amount))
    }
  }
}

async function said(key: string, n: number, write: () => Promise<Receipt>): Promise<void> {
  say(`tried ${key} ${n}`)
  const { dot } = await write()
  say(`acked ${dot?.replica ?? 'none'} ${dot?.sequence ?? 0} ${key} ${n}`)
}
