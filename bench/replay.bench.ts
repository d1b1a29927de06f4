/**
 * Reading a log of a million operations back from disk: at opening, with and without a checkpoint,
 * and into memory.
 */
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileLog } from '../adapters/file/index.ts'
import { openWarp, type Projection } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'
import { formatNs } from './support/table.ts'
import { type User, type UserKey, turn, userKeys, userOf } from './support/users.ts'

export const question = 'How fast is a log of a million operations opened and replayed?'

const ROUNDS = 3

interface Stored {
  readonly folder: string
  readonly bare: string
  readonly keys: readonly UserKey[]
  readonly operations: number
}

export async function run(context: BenchContext): Promise<void> {
  const keys = userKeys(context.size(100_000, 200))
  const operations = context.size(1_000_000, 2000)
  const stored = await writeLog(context, keys, operations)
  const open = await median(context, () => timeOpening(stored, stored.folder))
  const bare = await median(context, () => timeOpening(stored, stored.bare))
  const cache = await median(context, () => timeCaching(stored))
  const rebuild = await median(context, () => timeRebuilding(stored))
  const perSecond = (ns: number): number => (operations / ns) * 1e9
  const rates = ({ ns, cpuNs }: Taken): [string, number, number] => [formatNs(ns), perSecond(ns), perSecond(cpuNs)]
  context.report(
    `${operations.toLocaleString('en-US')} operations of ${keys.length.toLocaleString('en-US')} keys on disk`,
    ['', 'median', 'operations per second', 'per second of processor time'],
    [
      ['open, with a checkpoint', formatNs(open.ns), '', ''],
      ['open, without', ...rates(bare)],
      ['open without, and the value of every key into the cache', ...rates(cache)],
      ['rebuild a projection that reads the value after every operation', ...rates(rebuild)],
    ],
  )
  if (context.isSmoke) return
  context.goal('open with a checkpoint, ms', open.ns / 1e6, { atMost: 1000 })
  context.goal('replay into the cache, operations per second', perSecond(cache.ns), { atLeast: 500_000 })
  context.goal('rebuild of a projection, operations per second', perSecond(rebuild.ns), { atLeast: 500_000 })
}

function openLog(folder: string) {
  return openWarp({ keys: { 'user:*': register<User>() }, log: fileLog({ path: folder }), ack: 'memory' })
}

/** Two folders: as it was closed, and without its checkpoints. */
async function writeLog(context: BenchContext, keys: readonly UserKey[], operations: number): Promise<Stored> {
  const root = context.folder()
  const folder = path.join(root, 'checkpoint')
  const bare = path.join(root, 'bare')
  const warp = await openLog(folder)
  for (let i = 0; i < operations; i++) {
    void warp.set(keys[i % keys.length]!, userOf(i))
    if (i % 1000 === 999) await turn()
  }
  await warp.close()
  mkdirSync(bare)
  cpSync(folder, bare, { recursive: true })
  removeCheckpoints(bare)
  return { folder, bare, keys, operations }
}

function removeCheckpoints(folder: string): void {
  for (const name of readdirSync(folder)) if (name.startsWith('checkpoint')) rmSync(path.join(folder, name))
}

/** Of the wall clock, and of all threads of the process, which says more where others use the machine. */
interface Taken {
  readonly ns: number
  readonly cpuNs: number
}

async function median(context: BenchContext, measure: () => Promise<Taken>): Promise<Taken> {
  const taken: Taken[] = []
  for (let round = 0; round < context.size(ROUNDS, 1); round++) {
    globalThis.gc?.()
    taken.push(await measure())
  }
  const medianOf = (part: keyof Taken): number =>
    quantile(
      taken.map((one) => one[part]),
      0.5,
    )
  return { ns: medianOf('ns'), cpuNs: medianOf('cpuNs') }
}

/** Begins to take the time; what it returns says how much it was. */
function stopwatch(): () => Taken {
  const startedAt = process.hrtime.bigint()
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return { ns: Number(process.hrtime.bigint() - startedAt), cpuNs: (user + system) * 1000 }
  }
}

async function timeOpening({ keys }: Stored, folder: string): Promise<Taken> {
  const stop = stopwatch()
  const warp = await openLog(folder)
  const taken = stop()
  if (warp.stats().keysCount !== keys.length) throw new Error('keys are missing')
  await closeUntouched(warp, folder)
  return taken
}

async function timeCaching({ bare, keys, operations }: Stored): Promise<Taken> {
  const stop = stopwatch()
  const warp = await openLog(bare)
  for (const key of keys) await warp.get(key)
  const taken = stop()
  const last = operations - 1
  if (warp.peek(keys[last % keys.length]!)?.email !== userOf(last).email) throw new Error('a value is wrong')
  await closeUntouched(warp, bare)
  return taken
}

async function timeRebuilding({ folder, operations }: Stored): Promise<Taken> {
  const warp = await openLog(folder)
  const ages: Projection<{ count: number; sum: number }> = {
    name: 'ages',
    initial: () => ({ count: 0, sum: 0 }),
    apply(state, { value }) {
      state.count++
      state.sum += (value as User).age
      return state
    },
  }
  const stop = stopwatch()
  const { state } = await warp.project(ages)
  const taken = stop()
  let sum = 0
  for (let i = 0; i < operations; i++) sum += i % 100
  if (state.count !== operations || state.sum !== sum) throw new Error('the projection missed operations')
  await closeUntouched(warp, folder)
  return taken
}

/** A close may write a checkpoint; the folder without one has to stay so. */
async function closeUntouched(warp: { close(): Promise<void> }, folder: string): Promise<void> {
  await warp.close()
  if (folder.endsWith('bare')) removeCheckpoints(folder)
}
