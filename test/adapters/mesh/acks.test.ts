/** Writes that wait for other replicas, between real processes: one stands still, one is killed, datagrams come twice. */
import path from 'node:path'
import { expect, test } from 'vitest'
import type { ReplicaAcks } from '../../../adapters/node/index.ts'
import { freePort } from '../../support/free-port.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { type Place, ReplicaCluster, type TestProcess } from './replica-cluster.ts'

const SEED = Number(process.env['SEED'] ?? 1)
/** Starting processes takes as long as the machine likes. */
const TIMEOUT_MS = 240_000

interface Three {
  readonly cluster: ReplicaCluster
  readonly places: readonly Place[]
  readonly processes: readonly [TestProcess, TestProcess, TestProcess]
}

/** Three replicas with logs on disk that see each other. */
async function three(repeated = 0): Promise<Three> {
  const folder = temporaryFolder()
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  const peers = ports.map((port) => `127.0.0.1:${port}`)
  const cluster = new ReplicaCluster(SEED, { lost: 0, repeated, overtaken: 0 })
  const places = ports.map((port, i) => ({
    ...{ host: '127.0.0.1', port, peers, replication: { digestIntervalMs: 200 } },
    folder: path.join(folder, `${i}`),
  }))
  const started = await Promise.all(places.map((place, i) => cluster.start(`r${i}`, place)))
  const processes = started as [TestProcess, TestProcess, TestProcess]
  await meet(processes)
  return { cluster, places, processes }
}

/** Each sees all others. */
async function meet(processes: readonly TestProcess[]): Promise<void> {
  const replicas = await Promise.all(processes.map(({ program }) => program.ask('replica')))
  await Promise.all(
    processes.map(({ program }, i) => program.ask('meets', { replicas: replicas.filter((_, other) => other !== i) })),
  )
}

/** At the writer: waits for its newest operation, or for one that it writes now. */
function asker({ program }: TestProcess) {
  return {
    begin: (id: string, acks: ReplicaAcks, writes = false) => program.ask('begin', { id, acks, writes }),
    end: (id: string) => program.ask('end', { id }),
    ended: (id: string) => program.ask('ended', { id }),
    abort: (id: string) => program.ask('abort', { id }),
    close: () => program.ask('close'),
  }
}

const ALL: ReplicaAcks = { replicas: 3, level: 'logged' }
const TWO: ReplicaAcks = { replicas: 2, level: 'logged' }

test(
  'while a process stands still a write waits for it: it settles when the process goes on, or ends by its time, its signal or the close',
  { timeout: TIMEOUT_MS },
  async () => {
    const { processes } = await three()
    const writer = asker(processes[0])
    await processes[2].program.stop()
    await writer.begin('all', ALL, true)
    for (const id of ['signalled', 'closed']) await writer.begin(id, { ...ALL, countSelf: false })
    await writer.begin('timed', { ...ALL, timeoutMs: 100 })
    // The other one holds it.
    await writer.begin('two', TWO)
    expect(await writer.end('two')).toMatchObject({ acks: { replicas: 2 } })
    const timed = await writer.end('timed')
    expect(timed).toMatchObject({ code: 'WARP_E_QUORUM', outcome: 'indeterminate' })
    expect(timed?.message).toMatch(/missing: .*r2/)
    await writer.abort('signalled')
    expect(await writer.end('signalled')).toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'indeterminate' })
    expect(await writer.ended('all')).toBeUndefined()
    processes[2].program.go()
    expect(await writer.end('all')).toMatchObject({ acks: { replicas: 3, level: 'logged' } })
    // Two others and the writer hold it, and three others are asked for.
    expect(await writer.ended('closed')).toBeUndefined()
    await writer.close()
    expect(await writer.end('closed')).toMatchObject({ code: 'WARP_E_CLOSED', outcome: 'indeterminate' })
  },
)

test(
  'what a process has answered does not count any more when it was killed and another one has taken its place',
  { timeout: TIMEOUT_MS },
  async () => {
    const { cluster, places, processes } = await three()
    const [{ program: first }, killed, still] = processes
    const writer = asker(processes[0])
    await still.program.stop()
    await writer.begin('all', ALL, true)
    await writer.begin('answered', TWO)
    await writer.end('answered')
    // In its place comes a process with a log in memory, which is another replica and never holds anything `logged`.
    const gone = await killed.program.ask('replica')
    await killed.program.end('SIGKILL')
    const { host, port, peers, replication = {} } = places[1] as Place
    const successor = await cluster.start('r1', { host, port, peers, replication })
    await first.ask('meets', { replicas: [await successor.program.ask('replica')], gone })
    still.program.go()
    // Only the one that stood still can answer this. What it says of the newest holds for all before.
    await writer.begin('newer', TWO, true)
    await writer.end('newer')
    expect(await writer.ended('all')).toBeUndefined()
    // Back with its log it answers anew.
    await successor.program.end('SIGKILL')
    await cluster.start('r1', places[1] as Place)
    expect(await writer.end('all')).toMatchObject({ acks: { replicas: 3 } })
    await first.ask('close')
  },
)

test('answers that come twice and more often count once', { timeout: TIMEOUT_MS }, async () => {
  const { processes } = await three(0.9)
  const writer = asker(processes[0])
  await processes[2].program.stop()
  await writer.begin('all', ALL, true)
  for (let i = 0; i < 20; i++) {
    await writer.begin(`two ${i}`, TWO, true)
    await writer.end(`two ${i}`)
  }
  expect((await processes[1].program.ask('lossCounts')).repeated).toBeGreaterThan(0)
  expect(await writer.ended('all')).toBeUndefined()
  processes[2].program.go()
  expect(await writer.end('all')).toMatchObject({ acks: { replicas: 3 } })
})
