/**
 * How long the event loop is held: by each public call, and by what the engine does for itself.
 * Each call is made of an engine that has just been opened, unless it says that the key is hot. The
 * first run of a call warms the compiler up: what took longer than some milliseconds is done twice,
 * and the lesser is shown.
 */
import { cpSync } from 'node:fs'
import path from 'node:path'
import { memoryNetwork } from '../adapters/memory/index.ts'
import { openWarp, type KeyMap, type Warp } from '../adapters/node/index.ts'
import { counter, register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import { MANY_CALLS, openMany } from './support/many-keys.ts'
import { CALLS, ONE_KEYS, openFolder, writeMany, type OneKey } from './support/one-key.ts'
import { held, TurnWatch } from './support/turns.ts'
import { userOf } from './support/users.ts'

export const question = 'How long does any call, or any step of the engine’s own work, hold the event loop?'

const ROUNDS = 2
/** A hold that is worth another look. */
const AGAIN_MS = 20
const HELD_MS_MAX = 50

export async function run(context: BenchContext): Promise<void> {
  const operations = context.sizes([10_000, 100_000], 1_000_000, [100, 2000])
  for (const key of ONE_KEYS) await ofOneKey(context, key, operations)
  await ofManyKeys(context, context.sizes([10_000, 100_000], 1_000_000, [200]))
  await ofHotKeys(context)
  await ofTakingOver(context)
}

/** The longest holds of one table, for its goal. */
interface Rows {
  readonly head: string[]
  readonly rows: string[][]
  longestMs: number
}

function report(context: BenchContext, title: string, { head, rows, longestMs }: Rows): void {
  context.report(title, head, rows)
  if (!context.isSmoke) context.goal('longest hold, ms', longestMs, { atMost: HELD_MS_MAX })
}

async function ofOneKey(context: BenchContext, key: OneKey, sizes: readonly number[]): Promise<void> {
  const folders = await Promise.all(sizes.map((size) => oneKeyFolder(context, key, size)))
  const calls = ['open', ...CALLS.map(({ name }) => name)]
  const table: Rows = { head: ['', ...sizes.map(inWords)], rows: [], longestMs: 0 }
  for (const name of calls) {
    const row = [name]
    for (const folder of folders) row.push(await leastOf(context, table, (copy) => timeOneKey(name, key, copy), folder))
    table.rows.push(row)
  }
  report(context, `one ${key.kind} with so many operations: longest hold, ms`, table)
}

async function oneKeyFolder(context: BenchContext, key: OneKey, size: number): Promise<string> {
  const folder = path.join(context.folder(), 'log')
  const warp = await openFolder(folder)
  await writeMany(size, (i) => key.write(warp, i))
  await warp.close()
  return folder
}

async function timeOneKey(name: string, key: OneKey, folder: string): Promise<number> {
  if (name === 'open') {
    const { heldMs, result } = await held(() => openFolder(folder))
    await result.close()
    return heldMs
  }
  const call = CALLS.find((candidate) => candidate.name === name)
  if (call === undefined) throw new Error(`there is no call ${name}`)
  const warp = await openFolder(folder, call.retain)
  await call.prepare?.(warp, key)
  const { heldMs } = await held(() => call.run(warp, key))
  await warp.close()
  return heldMs
}

async function ofManyKeys(context: BenchContext, sizes: readonly number[]): Promise<void> {
  const folders = await Promise.all(sizes.map((size) => manyKeysFolder(context, size)))
  const table: Rows = { head: ['', ...sizes.map(inWords)], rows: [], longestMs: 0 }
  for (const name of ['open', ...MANY_CALLS.map((call) => call.name)]) {
    const row = [name]
    for (const [i, folder] of folders.entries())
      row.push(await leastOf(context, table, (copy) => timeManyKeys(name, sizes[i] as number, copy), folder))
    table.rows.push(row)
  }
  report(context, 'so many keys, written twice: longest hold, ms', table)
}

async function manyKeysFolder(context: BenchContext, size: number): Promise<string> {
  const folder = path.join(context.folder(), 'log')
  const warp = await openMany(folder)
  for (let round = 0; round < 2; round++) await writeMany(size, (i) => void warp.set(`user:${i}`, userOf(i + round)))
  await warp.close()
  return folder
}

async function timeManyKeys(name: string, count: number, folder: string): Promise<number> {
  if (name === 'open') {
    const { heldMs, result } = await held(() => openMany(folder))
    await result.close()
    return heldMs
  }
  const call = MANY_CALLS.find((candidate) => candidate.name === name)
  if (call === undefined) throw new Error(`there is no call ${name}`)
  const warp = await openMany(folder, call.retain)
  await call.prepare?.(warp, count)
  const { heldMs } = await held(() => call.run(warp, count))
  await warp.close()
  return heldMs
}

/** Each time on a folder of its own. */
async function leastOf(
  context: BenchContext,
  table: Rows,
  time: (folder: string) => Promise<number>,
  folder: string,
): Promise<string> {
  let leastMs = Infinity
  for (let round = 0; round < context.size(ROUNDS, 1) && leastMs > AGAIN_MS; round++) {
    const copy = path.join(context.folder(), 'log')
    cpSync(folder, copy, { recursive: true })
    leastMs = Math.min(leastMs, await time(copy))
    context.removeFolder(path.dirname(copy))
  }
  table.longestMs = Math.max(table.longestMs, leastMs)
  return leastMs.toFixed(1)
}

/** A key that is written all the time, with compaction running behind it. */
async function ofHotKeys(context: BenchContext): Promise<void> {
  const table: Rows = { head: ['', 'longest hold, ms', 'increments a second'], rows: [], longestMs: 0 }
  const seconds = context.size(6, 1)
  for (const perSecond of context.isSmoke ? [1000] : [1000, 5000, 20_000]) {
    const network = memoryNetwork({ delayMs: 1000 })
    const replicas = await Promise.all(
      ['a', 'b'].map((name) =>
        openWarp({
          keys: { 'hot:*': { strategy: counter(), retain: 'latest' } },
          transports: [network.transport(name)],
        }),
      ),
    )
    const [writer] = replicas
    const { heldMs, done } = await keepHot(seconds, perSecond, () => void writer?.key('hot:1').increment())
    table.rows.push([`a peer lags by a second, ${inWords(perSecond)} a second`, heldMs.toFixed(1), inWords(done)])
    table.longestMs = Math.max(table.longestMs, heldMs)
    for (const replica of replicas) await replica.close()
  }
  const versions = context.size(10_000, 100)
  const alone = await openWarp({ keys: { 'hot:*': { strategy: counter(), retain: { versions } } } })
  const { heldMs, done } = await keepHot(seconds, 20_000, () => void alone.key('hot:1').increment())
  table.rows.push([`alone, { versions: ${inWords(versions)} }, 20,000 a second`, heldMs.toFixed(1), inWords(done)])
  table.longestMs = Math.max(table.longestMs, heldMs)
  await alone.close()
  report(context, `one counter written for ${seconds} s, compaction on`, table)
}

async function keepHot(
  seconds: number,
  perSecond: number,
  write: () => void,
): Promise<{ heldMs: number; done: number }> {
  const watch = new TurnWatch()
  const startedMs = performance.now()
  let done = 0
  for (let leftMs = seconds * 1000; leftMs > 0; leftMs = startedMs + seconds * 1000 - performance.now()) {
    const due = Math.min(((performance.now() - startedMs) * perSecond) / 1000, done + 200)
    for (; done < due; done++) write()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return { heldMs: watch.stop(), done: Math.round(done / seconds) }
}

/** A replica that was away for too long takes over a state. Both ends run in this process. */
async function ofTakingOver(context: BenchContext): Promise<void> {
  const count = context.size(200_000, 500)
  const table: Rows = { head: ['', 'longest hold, ms'], rows: [], longestMs: 0 }
  for (const own of [0, count / 2]) {
    let leastMs = Infinity
    for (let round = 0; round < context.size(ROUNDS, 1) && leastMs > AGAIN_MS; round++)
      leastMs = Math.min(leastMs, await timeTakingOver(count, own))
    const name = `taking over a state (${inWords(count)} keys)`
    table.rows.push([own === 0 ? name : `${name}, ${inWords(own)} own writes`, leastMs.toFixed(1)])
    table.longestMs = Math.max(table.longestMs, leastMs)
  }
  report(context, 'taking over a state: longest hold, ms', table)
}

async function timeTakingOver(count: number, own: number): Promise<number> {
  const network = memoryNetwork()
  let isDone = false
  const open = (name: string): Promise<Warp<KeyMap>> =>
    openWarp<KeyMap>({
      keys: { 'user:*': { strategy: register<unknown>(), retain: 'latest' } },
      transports: [network.transport(name)],
      replication: { digestIntervalMs: 100, horizonMs: 1000 },
      observe: ({ kind }) => void (isDone ||= kind === 'resync:done'),
    })
  // Who hears nobody compacts nothing.
  const [a, b, other] = [await open('a'), await open('b'), await open('c')]
  await Promise.all([a.set('user:a', 1), b.set('user:b', 1)])
  await until(() => a.peek('user:b') === 1 && b.peek('user:a') === 1)
  for (const name of ['a', 'c']) network.cut(name, 'b')
  await writeMany(own, (i) => void b.set(`user:${i}`, { ...userOf(i) }))
  for (let round = 0; round < 2; round++)
    await writeMany(count, (i) => void a.set(`user:${i}`, { ...userOf(i + round) }))
  while ((await a.compact()).droppedOperationsCount === 0) await wait(100)
  const watch = new TurnWatch()
  network.heal()
  await until(() => isDone)
  const heldMs = watch.stop()
  for (const replica of [a, b, other]) await replica.close()
  return heldMs
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await wait(5)
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function inWords(count: number): string {
  return count.toLocaleString('en-US')
}
