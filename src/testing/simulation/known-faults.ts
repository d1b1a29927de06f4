/**
 * Faults of the engine that are known and not mended yet ("Known" in docs/faults-found.md): what they look like, so that the simulator can count
 * them instead of finding them anew with every tenth seed. Each is recognised as narrowly as can be told from outside.
 */
import { Keyspaces } from '../../keyspace.ts'
import type { KeyMap } from '../../typed-keys.ts'
import type { EngineReport, RunHistory } from './run-history.ts'

const SEQUENCES: readonly (string | undefined)[] = ['list', 'text']

/** Why the replicas will not come to rest, if it is one of these; `reason` is what `atRest` says. */
export function knownUnrest(reason: string, history: RunHistory, keys: KeyMap): string | undefined {
  if (/lacks|waits/.test(reason) && history.reports.some(refuses))
    return 'known fault: operations refused for ever by who compacted without them'
  const key = / disagree about (.*)$/.exec(reason)?.[1]
  const kind = key === undefined ? undefined : new Keyspaces(keys).find(key)?.strategy.kind
  if (SEQUENCES.includes(kind) && reissuers(history).size > 0)
    return 'known fault: a sequence in which something was issued again in front of what it had seen'
  return undefined
}

/** Ids taken because operations were issued again: at the end of a resync. */
export function reissuers({ reports }: RunHistory): ReadonlySet<string> {
  const done = reports.filter(({ event }) => event.kind === 'resync:done')
  const taken = new Set<string>()
  for (const { event, machine, atMs } of reports) {
    if (event.kind !== 'identity:changed') continue
    if (done.some((at) => at.machine === machine && at.atMs === atMs)) taken.add(event.to)
  }
  return taken
}

function refuses({ event }: EngineReport): boolean {
  return event.kind === 'resync:required' && event.side === 'peer'
}
