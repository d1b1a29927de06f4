/** The acceptance cases over the mesh between processes. Over brokers: test/adapters/broker/data-layer-cases.test.ts. */
import { freePort } from '../support/free-port.ts'
import { casesBetweenProcesses } from './cases-between-processes.ts'
import type { Between } from './plugged.ts'

async function meshOf(count: number): Promise<readonly Between[]> {
  const ports = await Promise.all(Array.from({ length: count }, freePort))
  const peers = ports.map((port) => `127.0.0.1:${port}`)
  return ports.map((port) => ({ over: 'mesh', port, peers }))
}

casesBetweenProcesses({
  of: meshOf,
  another: async () => ({ over: 'mesh', port: await freePort(), peers: [] }),
})
