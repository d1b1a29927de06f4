/**
 * Appends numbered records to the log in the folder named by the first argument until it is killed, and says `acked N LEVEL`
 * when everything up to N is kept at that level. The second argument is the seed.
 */
import { writeSync } from 'node:fs'
import { fileLog } from '../../adapters/file/file-log.ts'
import { nodeEnv } from '../../adapters/node/node-env.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { appendNumber, batchLength, checkpointNumber, openNumbered } from './numbered-log.ts'

const [path = '', seed = ''] = process.argv.slice(2)
const random = seededRandom(seed)
const say = (line: string): void => void writeSync(1, `${line}\n`)

say('starting')
const env = nodeEnv()
const { log, last } = await openNumbered(await fileLog({ path }).open(), env)

for (let n = last; ;) {
  for (let i = batchLength(random); i > 0; i--) appendNumber(log, ++n)
  if (random.chance(0.02)) void checkpointNumber(log, n)
  const level = random.chance(0.3) ? 'durable' : 'logged'
  const through = n
  const acked = log.settled(level).then(() => say(`acked ${through} ${level}`))
  if (random.chance(0.6)) await acked
}
