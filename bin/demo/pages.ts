/** What the scenario prints: what each replica sees, and why a key has its value. */
import type { Explanation, OperationRecord } from '../../adapters/node/index.ts'
import { formatTable } from '../table.ts'
import { type Name, NAMES, type DemoReplicas, WRITTEN_KEYS, type WrittenKey } from './replicas.ts'

/** One row a key, one column a replica. */
export async function pageOfValues(replicas: DemoReplicas, names: readonly Name[] = NAMES): Promise<string> {
  const rows: string[][] = []
  for (const key of WRITTEN_KEYS) {
    const cells = await Promise.all(names.map(async (name) => shown(await replicas.at(name).get(key))))
    rows.push([key, ...cells])
  }
  return formatTable(['key', ...names], rows)
}

/** Operations oldest first, in the order in which every replica folds them. */
export async function pageOfReasons(replicas: DemoReplicas, name: Name, key: WrittenKey): Promise<string> {
  const explanation: Explanation = await replicas.at(name).explain(key)
  const titleOf = ({ replica, sequence }: OperationRecord['dot']): string => `${replicas.nameOf(replica)}:${sequence}`
  const rows = explanation.operations.map(({ operation, effect, concurrentWith }) => [
    titleOf(operation.dot),
    replicas.nameOf(operation.dot.replica),
    new Date(operation.timeMs).toISOString().slice(11, 23),
    operation.kind === 'update' ? shown(operation.payload) : operation.kind,
    effect,
    concurrentWith.map(titleOf).join(' ') || '-',
  ])
  const head = ['operation', 'who', 'when (UTC)', 'wrote', 'effect', 'concurrent with']
  return `${key} is ${shown(explanation.value)} (${explanation.strategy})\n${formatTable(head, rows)}`
}

function shown(value: unknown): string {
  if (value === undefined) return '-'
  if (value instanceof Set) return `{${[...value].join(', ')}}`
  return typeof value === 'string' ? value : JSON.stringify(value)
}
