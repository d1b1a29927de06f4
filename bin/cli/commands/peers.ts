/** `warp peers`. */
import type { PeerReport, Stats } from '../../../adapters/node/index.ts'
import { command, type AnyCommand } from '../program/command.ts'
import { EXIT } from '../program/exit-codes.ts'
import { openTarget } from '../target/open-target.ts'
import { PEERS, STATS } from '../../../src/control/questions/watching.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { regionsTable, waitsForTable } from '../output/stats-tables.ts'
import { only } from '../target/target.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import { toJson } from '../../../src/control/tagged-json.ts'
import { printable } from '../values.ts'

const HEAD = [
  ...['replica', 'address', 'state', 'lag', 'silent', 'round trip', 'clock', 'queued', 'region', 'zone', 'roles'],
]

export const PEERS_COMMAND: AnyCommand = command<DataFlags>({
  name: 'peers',
  summary: 'list the other replicas: state, lag, round trip',
  details:
    'Lag: how many operations of ours it lacked when it last said what it has. Clock: its wall clock minus ours. ' +
    'Below stand the regions, each with the lag of its replica that is furthest behind; a replica that only a relay hears stands ' +
    'by the address of the relay. Then whom compaction waits for, and since when: a replica that is not listed above and does not come back can be ' +
    'given up (warp evict). With --json that is a property of the peer, holdsBack; warp stats --json lists them all. ' +
    'A folder that nobody holds has no peers.',
  options: DATA_OPTIONS,
  examples: ['peers', 'peers --json'],
  async run({ options, output, signal }) {
    await using target = await openTarget({ flags: options, output, signal, isBlind: true })
    const peers: PeerReport[] = []
    for await (const peer of target.ask(PEERS, {}, { signal })) peers.push(peer)
    const stats = await only(target.ask(STATS, {}, { signal }))
    if (output.isJson) {
      for (const peer of peers) await output.json(toJson(withBlock(peer, stats)))
      return EXIT.ok
    }
    const names = await ReplicaNames.of(target, { fullIds: options.fullIds, signal })
    const rows = peers.map((peer) => rowOf(peer, names))
    if (peers.length > 0) await output.table(HEAD, rows)
    else await output.line(target.warp === undefined ? 'no peers' : 'no peers: no replica runs on this folder')
    for (const { head, rows: below } of [regionsTable(stats), waitsForTable(stats, names)]) {
      if (below.length === 0) continue
      await output.line('')
      await output.table(head, below)
    }
    return EXIT.ok
  },
})

/** With what compaction waits for of it, if it does. */
function withBlock(peer: PeerReport, { compaction }: Stats): object {
  const block = compaction.replicas.find(({ replica }) => replica === peer.replica)
  if (block === undefined) return peer
  const { lacks, missingCount, sinceMs } = block
  return { ...peer, holdsBack: { lacks, missingCount, sinceMs } }
}

function rowOf(peer: PeerReport, names: ReplicaNames): readonly string[] {
  return [
    peer.replica === undefined ? '-' : names.replica(peer.replica),
    peer.isRelayed === true ? `by ${printable(peer.address)}` : printable(peer.address),
    peer.isLagging ? `${peer.state}, lagging` : peer.state,
    amount(peer.lagCount, ''),
    amount(peer.silentMs, ' ms'),
    amount(peer.roundTripMs, ' ms', 2),
    amount(peer.clockSkewMs, ' ms'),
    amount(peer.queuedBytes, ' B'),
    printable(peer.region ?? '-'),
    printable(peer.zone ?? '-'),
    printable(peer.roles.join(' ')) || '-',
  ]
}

function amount(value: number | undefined, unit: string, digits = 0): string {
  // Not -0.
  return value === undefined ? '-' : `${value.toFixed(digits).replace(/^-(?=0(\.0+)?$)/, '')}${unit}`
}
