/** Replicas in processes of their own for one test; all of them are gone when the test is over. */
import { onTestFinished } from 'vitest'
import { ChildProgram } from '../../support/child-program.ts'
import type { ReplicationOptions } from '../../../src/replication/options.ts'
import type { ReplicaProgram } from './replica-process.ts'
import { type Values, sortedValues } from './replica-writes.ts'

export interface Place {
  readonly host: string
  readonly port: number
  readonly folder?: string
  readonly peers: readonly string[]
  readonly clusterKey?: string
  readonly multicast?: boolean
  readonly replication?: ReplicationOptions
  /** The format that the process's build pretends to read and write. Default: its own. */
  readonly format?: number
  /** See `ChildProgram`. */
  readonly under?: readonly string[]
}

export interface Loss {
  readonly lost: number
  readonly repeated: number
  readonly overtaken: number
}

export interface TestProcess {
  readonly name: string
  readonly program: ChildProgram<ReplicaProgram>
}

export class ReplicaCluster {
  readonly #seed: number
  readonly #loss: Loss
  #startedCount = 0

  constructor(seed: number, loss: Loss) {
    this.#seed = seed
    this.#loss = loss
  }

  async start(name: string, { under, ...place }: Place): Promise<TestProcess> {
    const program = new ChildProgram<ReplicaProgram>('test/adapters/mesh/replica', under === undefined ? {} : { under })
    onTestFinished(() => program.end('SIGKILL'))
    const seed = this.#seed + this.#startedCount++
    await program.ask('open', { name, ...place, chances: { seed, ...this.#loss } })
    return { name, program }
  }
}

/** All write their marks and wait for those of the others: what has been written before has arrived everywhere. */
export async function settle(processes: readonly TestProcess[], text: string): Promise<void> {
  await Promise.all(processes.map(({ program }) => program.ask('mark', { text })))
  const names = processes.map(({ name }) => name)
  await Promise.all(processes.map(({ program }) => program.ask('sees', { names, text })))
}

/** What each holds, lists in the order that they have there. */
export function valuesOf(processes: readonly TestProcess[]): Promise<Values[]> {
  return Promise.all(processes.map(({ program }) => program.ask('values')))
}

/** Lists without their order. */
export function unordered(values: Values | undefined): Values {
  return sortedValues(values ?? [])
}
