/** The mesh as it is used: a process per replica, real sockets on loopback, logs on disk, and a fifth of the datagrams lost. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../../support/free-port.ts'
import { byExtent } from '../../support/extent.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { type Place, ReplicaCluster, type TestProcess, settle, unordered, valuesOf } from './replica-cluster.ts'
import { type Writes, expectedValues } from './replica-writes.ts'

const SEED = Number(process.env['SEED'] ?? 1)
const ROUNDS = byExtent({ some: [1, 2], all: [1, 2, 3, 4], soak: [1, 2, 3, 4] })
const LOSS = { lost: 0.2, repeated: 0.1, overtaken: 0.2 }
/** Starting processes takes as long as the machine likes. */
const TIMEOUT_MS = 240_000
/** Others go on without a replica that has been silent for so long. */
const HORIZON_MS = 1000

interface Started {
  readonly cluster: ReplicaCluster
  readonly places: readonly Place[]
  readonly processes: TestProcess[]
}

/** So many replicas with logs on disk, each of which is told of the first two. */
async function started(count: number, replication: Place['replication'] = {}): Promise<Started> {
  const folder = temporaryFolder()
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  const peers = ports.slice(0, 2).map((port) => `127.0.0.1:${port}`)
  const places = ports.map((port, i) => ({
    ...{ host: '127.0.0.1', port, peers, replication },
    folder: path.join(folder, `${i}`),
  }))
  const cluster = new ReplicaCluster(SEED, LOSS)
  const processes = await Promise.all(places.map((place, i) => cluster.start(`r${i}`, place)))
  return { cluster, places, processes }
}

function writesOf(processes: readonly TestProcess[], round: number, count = 150): Writes[] {
  return processes.map(({ name }) => ({ writer: `${name} in ${round}`, seed: SEED, count }))
}

async function write(processes: readonly TestProcess[], writes: readonly Writes[]): Promise<void> {
  await Promise.all(processes.map(({ program }, i) => program.ask('write', writes[i] as Writes)))
}

test(
  'five processes converge while a fifth of their datagrams is lost and others are repeated and overtaken',
  { timeout: TIMEOUT_MS },
  async () => {
    const { processes } = await started(5)
    const rounds = ROUNDS.map((round) => writesOf(processes, round, 50))
    for (const [i, writes] of rounds.entries()) {
      await write(processes, writes)
      await settle(processes, `round ${i}`)
    }
    const writes = rounds.flat()
    const [first, ...others] = await valuesOf(processes)
    expect(unordered(first)).toEqual(expectedValues(writes))
    for (const other of others) expect(other).toEqual(first)
    const counts = await Promise.all(processes.map(({ program }) => program.ask('lossCounts')))
    const sum = (name: keyof (typeof counts)[number]) => counts.reduce((total, count) => total + count[name], 0)
    // Drawn with LOSS, over several hundred datagrams.
    expect(sum('sent')).toBeGreaterThan(200)
    expect(sum('lost') / sum('sent')).toBeGreaterThan(0.1)
    expect(Math.min(sum('repeated'), sum('overtaken'))).toBeGreaterThan(0)
  },
)

test(
  'a replica that is killed and started again catches up by operations, and a new one joins',
  { timeout: TIMEOUT_MS },
  async () => {
    const { cluster, places, processes } = await started(3)
    const before = writesOf(processes, 1)
    await write(processes, before)
    await settle(processes, 'before')
    await processes.pop()?.program.end('SIGKILL')
    const meanwhile = writesOf(processes, 2, 500)
    await write(processes, meanwhile)
    processes.push(await cluster.start('r2', places[2] as Place))
    processes.push(
      await cluster.start('r3', {
        ...(places[0] as Place),
        port: await freePort(),
        folder: `${places[0]?.folder}-new`,
      }),
    )
    const after = writesOf(processes, 3)
    await write(processes, after)
    await settle(processes, 'after')
    const [first, ...others] = await valuesOf(processes)
    expect(unordered(first)).toEqual(expectedValues([...before, ...meanwhile, ...after]))
    for (const other of others) expect(other).toEqual(first)
    const events = await processes[2]?.program.ask('events')
    expect(events?.filter((kind) => kind.startsWith('resync') || kind === 'clone:detected')).toEqual([])
  },
)

test('a replica that was down while the others compacted catches up by snapshot', { timeout: TIMEOUT_MS }, async () => {
  const { cluster, places, processes } = await started(3, { horizonMs: HORIZON_MS, digestIntervalMs: 200 })
  const before = writesOf(processes, 1)
  await write(processes, before)
  await settle(processes, 'before')
  await processes.pop()?.program.end('SIGKILL')
  await processes[0]?.program.ask('overwrite', { count: 500 })
  const meanwhile = writesOf(processes, 2)
  await write(processes, meanwhile)
  await settle(processes, 'meanwhile')
  for (const { program } of processes) {
    await program.ask('reports', { kind: 'member:gone' })
    await program.ask('compacts')
  }
  const returned = await cluster.start('r2', places[2] as Place)
  processes.push(returned)
  await returned.program.ask('reports', { kind: 'resync:done' })
  const after = writesOf(processes, 3)
  await write(processes, after)
  await settle(processes, 'after')
  const [first, ...others] = await valuesOf(processes)
  const latest = Array.from({ length: 10 }, (_, i) => [`last:${i}`, 490 + (i === 0 ? 10 : i)] as const)
  const expected = [...expectedValues([...before, ...meanwhile, ...after]), ...latest]
  expect(unordered(first)).toEqual(unordered(expected))
  for (const other of others) expect(other).toEqual(first)
})
