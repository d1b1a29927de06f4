/** The mesh between machines: network namespaces on one bridge, with interfaces, addresses and links that go down and up. */
import { expect, onTestFinished, test } from 'vitest'
import { NamespaceNetwork, whyNoNamespaces } from '../../support/network-namespaces.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { ReplicaCluster, type TestProcess, settle, unordered, valuesOf } from './replica-cluster.ts'
import { type Writes, expectedValues } from './replica-writes.ts'

const SEED = Number(process.env['SEED'] ?? 1)
const LOSS = { lost: 0.2, repeated: 0.1, overtaken: 0.2 }
const CLUSTER_KEY = Buffer.from(seededRandom(SEED).bytes(32)).toString('hex')
const PORT = 7946
const TIMEOUT_MS = 240_000
const NAMES = ['a', 'b', 'c', 'd'] as const

const reason = whyNoNamespaces()

interface Machines {
  readonly network: NamespaceNetwork
  readonly processes: readonly TestProcess[]
}

async function machines(hosts: readonly string[], discovery: 'multicast' | 'static peers'): Promise<Machines> {
  const network = new NamespaceNetwork()
  onTestFinished(() => network.close())
  NAMES.forEach((name, i) => network.add(name, `${hosts[i]}/64`.replace(/^(10\..*)\/64$/, '$1/24')))
  const cluster = new ReplicaCluster(SEED, LOSS)
  const multicast = discovery === 'multicast'
  const peers = multicast ? [] : hosts.slice(0, 1).map((host) => (host.includes(':') ? `[${host}]` : host))
  const processes = await Promise.all(
    NAMES.map((name, i) =>
      cluster.start(name, {
        ...{ host: hosts[i] ?? '', port: PORT, peers, multicast, clusterKey: CLUSTER_KEY },
        under: network.under(name),
      }),
    ),
  )
  return { network, processes }
}

async function writeAll(processes: readonly TestProcess[], round: number): Promise<Writes[]> {
  const writes = processes.map(({ name }) => ({ writer: `${name} in ${round}`, seed: SEED, count: 100 }))
  await Promise.all(processes.map(({ program }, i) => program.ask('write', writes[i] as Writes)))
  return writes
}

/** Two of four lose their links while all of them write, until the others have given them up. */
async function survivesCutLinks({ network, processes }: Machines): Promise<void> {
  const before = await writeAll(processes, 1)
  await settle(processes, 'before')
  for (const name of ['c', 'd']) network.set(name, 'down')
  const meanwhile = await writeAll(processes, 2)
  for (const { program } of processes) await program.ask('reports', { kind: 'peer:down' })
  const later = await writeAll(processes, 3)
  for (const name of ['c', 'd']) network.set(name, 'up')
  const after = await writeAll(processes, 4)
  await settle(processes, 'after')
  const [first, ...others] = await valuesOf(processes)
  expect(unordered(first)).toEqual(expectedValues([...before, ...meanwhile, ...later, ...after]))
  for (const other of others) expect(other).toEqual(first)
}

test(
  'machines that find each other by multicast converge when links have been down and come up again',
  { timeout: TIMEOUT_MS },
  async ({ skip }) => {
    if (reason !== undefined) return skip(reason)
    await survivesCutLinks(await machines(['10.77.0.1', '10.77.0.2', '10.77.0.3', '10.77.0.4'], 'multicast'))
  },
)

test(
  'machines with addresses of IPv6 and one known peer converge when links have been down and come up again',
  { timeout: TIMEOUT_MS },
  async ({ skip }) => {
    if (reason !== undefined) return skip(reason)
    await survivesCutLinks(await machines(['fd77::1', 'fd77::2', 'fd77::3', 'fd77::4'], 'static peers'))
  },
)
