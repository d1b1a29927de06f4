/** So many processes with a mesh, of which all know the first. */
import type { ReplicationOptions } from '../../src/replication/options.ts'
import type { MeshProgram } from '../mesh-process.ts'
import { ChildProgram } from '../../test/support/child-program.ts'

export interface MeshCluster {
  readonly processes: readonly ChildProgram<MeshProgram>[]
  readonly addresses: readonly string[]
  /** Asks all at once. */
  all<Answer>(ask: (process: ChildProgram<MeshProgram>) => Promise<Answer>): Promise<Answer[]>
  close(): Promise<void>
}

export interface MeshClusterOptions {
  /** One for each replica that keeps its log on disk. */
  readonly folders?: readonly string[]
  readonly replication?: ReplicationOptions
}

/** Once all of them have met. */
export async function openMeshCluster(count: number, options: MeshClusterOptions = {}): Promise<MeshCluster> {
  const { folders = [], replication = {} } = options
  const processes = Array.from({ length: count }, () => new ChildProgram<MeshProgram>('bench/mesh'))
  const addresses: string[] = []
  for (const [i, process] of processes.entries()) {
    const folder = folders[i]
    const peers = addresses.slice(0, 1)
    addresses.push(await process.ask('open', { peers, replication, ...(folder === undefined ? {} : { folder }) }))
  }
  const all: MeshCluster['all'] = (ask) => Promise.all(processes.map((process) => ask(process)))
  await all((process) => process.ask('met', { count: count - 1 }))
  return {
    ...{ processes, addresses, all },
    close: async () => {
      await Promise.all(processes.map((process) => process.end()))
    },
  }
}
