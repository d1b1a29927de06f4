/** A rolling upgrade between real processes, with a format 3 that builds of tomorrow pretend to have. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../../support/free-port.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { type Place, ReplicaCluster, settle, unordered, valuesOf } from './replica-cluster.ts'
import { type Writes, expectedValues } from './replica-writes.ts'

const SEED = Number(process.env['SEED'] ?? 1)
/** Starting processes takes as long as the machine likes. */
const TIMEOUT_MS = 240_000
const LATER = 3

test(
  'three processes are killed and started as format 3 one by one, one of them taken back on the way, and lose nothing',
  { timeout: TIMEOUT_MS },
  async () => {
    const folder = temporaryFolder()
    const ports = await Promise.all([freePort(), freePort(), freePort()])
    const peers = ports.map((port) => `127.0.0.1:${port}`)
    const cluster = new ReplicaCluster(SEED, { lost: 0, repeated: 0, overtaken: 0 })
    const places: Place[] = ports.map((port, i) => ({
      ...{ host: '127.0.0.1', port, peers, replication: { digestIntervalMs: 200 } },
      folder: path.join(folder, `${i}`),
    }))
    const processes = await Promise.all(places.map((place, i) => cluster.start(`r${i}`, place)))
    const written: Writes[] = []

    const writeAll = async (round: string): Promise<void> => {
      const writes = processes.map(({ name }) => ({ writer: `${name} in ${round}`, seed: SEED, count: 30 }))
      await Promise.all(processes.map(({ program }, i) => program.ask('write', writes[i] as Writes)))
      written.push(...writes)
      await settle(processes, round)
    }
    /** Killed, and started on its folder as a build of that format, or of today's. */
    const restart = async (i: number, format?: number): Promise<void> => {
      await processes[i]?.program.end('SIGKILL')
      const place = { ...(places[i] as Place), ...(format === undefined ? {} : { format }) }
      processes[i] = await cluster.start(`r${i}`, place)
    }

    await writeAll('all of today')
    await restart(0, LATER)
    await writeAll('one of tomorrow')
    await restart(0)
    await writeAll('one taken back')
    for (const i of [0, 1, 2]) {
      await restart(i, LATER)
      await writeAll(`${i + 1} of tomorrow`)
    }
    for (const { program } of processes) await program.ask('reports', { kind: 'format:raised' })
    await writeAll('in the later format')
    const [first, ...others] = await valuesOf(processes)
    expect(unordered(first)).toEqual(expectedValues(written))
    for (const other of others) expect(other).toEqual(first)
  },
)
