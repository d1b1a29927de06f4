/** What the scenario prints: what each replica holds, whom it sees, and why a key has its value. */
import type { Dot, PeerReport } from '../../adapters/node/index.ts'
import { paintFor, type Paint } from '../cli/output/colour.ts'
import { formatTable } from '../table.ts'
import { type Name, NAMES, type WrittenKey } from './replicas/keys.ts'
import type { DemoReplicas } from './replicas/replicas.ts'

const PAINT: Paint = paintFor(process.stdout, process.env)

/** One row a key, one column a replica. On a terminal, rows with differences stand out. */
export async function pageOfValues(replicas: DemoReplicas, names: readonly Name[] = NAMES): Promise<string> {
  const columns = await Promise.all(names.map((name) => replicas.read(name)))
  const rows = (columns[0] ?? []).map(({ key }, i) => {
    const cells = columns.map((readings) => readings[i]?.shown ?? '')
    const isSame = cells.every((cell) => cell === cells[0])
    return [key, ...(isSame ? cells : cells.map(PAINT.yellow))]
  })
  return table(['key', ...names], rows)
}

/** The cluster, as each of these sees it. */
export async function pageOfPeers(replicas: DemoReplicas, names: readonly Name[] = NAMES): Promise<string> {
  const rows: string[][] = []
  for (const name of names) {
    const { peers } = await replicas.status(name)
    const known = peers.map((peer) => [replicas.nameAt(peer.address), peer] as const)
    for (const [who, peer] of known.sort(([a], [b]) => (a < b ? -1 : 1))) rows.push([name, who, ...rowOf(peer)])
  }
  return table(['seen by', 'peer', 'state', 'round trip', 'heard', 'lacks'], rows)
}

function rowOf({ state, roundTripMs, silentMs, lagCount }: PeerReport): string[] {
  const paintOf = { up: PAINT.green, suspect: PAINT.yellow, down: PAINT.red }
  return [
    paintOf[state](state),
    roundTripMs === undefined ? '-' : `${roundTripMs.toFixed(2)} ms`,
    silentMs === undefined ? '-' : `${(silentMs / 1000).toFixed(1)} s ago`,
    lagCount === undefined ? '-' : String(lagCount),
  ]
}

/** Operations oldest first, in the order in which every replica folds them. */
export async function pageOfReasons(replicas: DemoReplicas, name: Name, key: WrittenKey): Promise<string> {
  const reasons = await replicas.at(name).call('explain', key)
  const titleOf = ({ replica, sequence }: Dot): string => `${replicas.nameOf(replica)}:${sequence}`
  const rows = reasons.operations.map(({ dot, timeMs, wrote, effect, concurrentWith }) => [
    titleOf(dot),
    replicas.nameOf(dot.replica),
    new Date(timeMs).toISOString().slice(11, 23),
    wrote,
    effect === 'won' ? PAINT.green(effect) : effect,
    concurrentWith.map(titleOf).join(' ') || '-',
  ])
  const head = ['operation', 'who', 'when (UTC)', 'wrote', 'effect', 'concurrent with']
  return `${key} is ${reasons.shown} (${reasons.strategy})\n${table(head, rows)}`
}

export function title(text: string): string {
  return `\n${PAINT.bold(text)}\n`
}

export function success(text: string): string {
  return PAINT.green(text)
}

export function failure(text: string): string {
  return PAINT.red(`FAILED: ${text}`)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return formatTable(head.map(PAINT.bold), rows)
}
