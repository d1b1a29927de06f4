/**
 * W01: replicas that have come to rest show the same values, byte for byte; starting anew and
 * replaying the logs change none of them.
 */
import { type Keyspace, Keyspaces } from '../../src/keys/keyspace.ts'
import { isSameShown, textOfShown } from '../simulation/report/shown.ts'
import type { Checker, MachineView, Moment, Violation } from './checker.ts'

export function convergenceChecker(): Checker {
  let before: ReadonlyMap<string, MachineView> = new Map()
  return {
    name: 'W01',
    verify(moment) {
      const { machines, phase } = moment
      const shared = sharedKeys(moment)
      const violations = phase === 'replayed' ? [] : between(machines, shared)
      if (phase === 'restarted')
        violations.push(
          ...machines.flatMap((view) => changed(before.get(view.name), view, new Keyspaces(moment.keys, true))),
        )
      before = new Map(machines.map((view) => [view.name, view]))
      return violations
    },
  }
}

/**
 * Keys of mode `local` are each machine's own, and so is when a key with a sliding time to live
 * expires (`KeyOptions.ttl`), and how old a copy is of what a source has.
 */
export function isShared(keyspace: Keyspace | undefined): boolean {
  return keyspace?.domain.isSent !== false && keyspace?.isSliding !== true && !isCopied(keyspace)
}

/** Its truth is where it is loaded from. */
function isCopied(keyspace: Keyspace | undefined): boolean {
  return keyspace?.source !== undefined && keyspace.source.store === undefined
}

function sharedKeys({ keys, machines }: Moment): string[] {
  const keyspaces = new Keyspaces(keys, true)
  return [...(machines[0]?.values.keys() ?? [])].filter((key) => isShared(keyspaces.find(key)))
}

function between([first, ...others]: readonly MachineView[], keys: readonly string[]): Violation[] {
  if (first === undefined) return []
  return others.flatMap((other) =>
    keys.flatMap((key) => {
      const [a, b] = [first.values.get(key), other.values.get(key)]
      if (isSameShown(a, b)) return []
      const message = `${first.name} shows ${textOfShown(a)} at ${key}, ${other.name} ${textOfShown(b)}`
      return [{ invariant: 'W01', message, key, machine: other.name }]
    }),
  )
}

function changed(before: MachineView | undefined, after: MachineView, keyspaces: Keyspaces): Violation[] {
  if (before === undefined) return []
  return [...after.values].flatMap(([key, shown]) => {
    const earlier = before.values.get(key)
    // Time has gone on, and with it a time to live.
    if (isSameShown(earlier, shown) || shown.kind === 'absent' || isCopied(keyspaces.find(key))) return []
    const message = `${after.name} showed ${textOfShown(earlier)} at ${key} and shows ${textOfShown(shown)} when started anew`
    return [{ invariant: 'W25', message, key, machine: after.name }]
  })
}
