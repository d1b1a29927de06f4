/** One load in the cluster as it is used: a process per replica, a mesh on loopback. */
import { expect, onTestFinished, test } from 'vitest'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { rendezvous } from '../../src/replication/members/rendezvous.ts'
import { ChildProgram } from '../support/child-program.ts'
import { freePort } from '../support/free-port.ts'
import type { ReaderProgram } from './reader-process.ts'

/** Starting processes takes as long as the machine likes. */
const TIMEOUT_MS = 240_000
const COUNT = 4
const CALLERS = 250
const KEY = 'page:1'

interface Reader {
  readonly program: ChildProgram<ReaderProgram>
  readonly replica: ReplicaId
}

async function readers(loadMs: number, clusterWaitMs: number): Promise<Reader[]> {
  const ports = await Promise.all(Array.from({ length: COUNT }, freePort))
  const peers = ports.slice(0, 2).map((port) => `127.0.0.1:${port}`)
  const all = await Promise.all(
    ports.map(async (port) => {
      const program = new ChildProgram<ReaderProgram>('test/data-layer/reader')
      onTestFinished(() => program.end('SIGKILL'))
      await program.ask('open', { between: { over: 'mesh', port, peers }, loadMs, clusterWaitMs })
      return { program, replica: (await program.ask('replica')) as ReplicaId }
    }),
  )
  await Promise.all(all.map(({ program }) => program.ask('meets', { count: COUNT - 1 })))
  return all
}

function read(all: readonly Reader[]): Promise<unknown> {
  return Promise.all(all.map(({ program }) => program.ask('read', { key: KEY, callers: CALLERS })))
}

function got(all: readonly Reader[]): Promise<unknown[][]> {
  return Promise.all(all.map(({ program }) => program.ask('got')))
}

async function loadsCount(all: readonly Reader[]): Promise<number> {
  const counts = await Promise.all(all.map(({ program }) => program.ask('loadsCount')))
  return counts.reduce((sum, count) => sum + count, 0)
}

test('four processes with 250 callers each load a cold key once', { timeout: TIMEOUT_MS }, async () => {
  const all = await readers(300, 20_000)
  await read(all)
  expect(await got(all)).toEqual(all.map(() => [`value of ${KEY}`]))
  expect(await loadsCount(all)).toBe(1)
})

test('and at most twice where the one that loads it is killed in the middle', { timeout: TIMEOUT_MS }, async () => {
  const all = await readers(1000, 4000)
  const owner = rendezvous(
    KEY,
    all.map(({ replica }) => replica),
  )
  const killed = all.find(({ replica }) => replica === owner)!
  const left = all.filter((reader) => reader !== killed)
  await read(all)
  await killed.program.ask('loads')
  await killed.program.end('SIGKILL')
  expect(await got(left)).toEqual(left.map(() => [`value of ${KEY}`]))
  expect(await loadsCount(left)).toBeLessThanOrEqual(1)
})

test('what one process holds is brought to one that starts, without a load', { timeout: TIMEOUT_MS }, async () => {
  const [first, , , last] = (await readers(0, 20_000)) as [Reader, Reader, Reader, Reader]
  await first.program.ask('readAll', { count: 3000 })
  const before = await last.program.ask('loadsCount')
  const heldBefore = await last.program.ask('held', { count: 3000 })
  const warmed = await last.program.ask('warm', { pattern: 'page:*' })
  expect(warmed).toMatchObject({ end: 'complete' })
  expect((warmed as { peers: unknown[] }).peers).toHaveLength(COUNT - 1)
  expect((warmed as { loadedCount: number }).loadedCount).toBe(3000 - heldBefore)
  expect(await last.program.ask('held', { count: 3000 })).toBe(3000)
  expect(await last.program.ask('loadsCount')).toBe(before)
  await first.program.end('SIGKILL')
  // Two of three are there, or all are still believed to be: nobody waits without end.
  expect(await last.program.ask('warm', { pattern: 'page:*' })).toMatchObject({ end: 'complete', loadedCount: 0 })
})
