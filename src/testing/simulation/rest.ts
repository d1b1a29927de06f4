/** Whether the replicas have come to rest: all are up, nobody waits for anything, and all show the same. */
import { Keyspaces } from '../../keyspace.ts'
import type { Shown } from '../checkers/checker.ts'
import { isSameShown, shownOf } from './shown.ts'
import type { World } from './world.ts'

/**
 * `undefined`, or a sentence that says what is still going on. `mayWait`: operations may wait for others, which nobody has any more.
 */
export async function atRest(world: World, mayWait: boolean): Promise<string | undefined> {
  const staying = world.machines.filter(({ hasLeft }) => !hasLeft)
  for (const { name, warp } of staying) if (warp === undefined) return `${name} is not up`
  const names = new Set(staying.map(({ name }) => name))
  for (const { name, warp } of staying) {
    const stats = warp?.stats()
    if (stats === undefined) return `${name} is not up`
    if (names.size > 1 && !stats.isJoined) return `${name} has not joined`
    if (!mayWait && stats.operations.waitingCount > 0)
      return `${name} waits for ${stats.operations.waitingCount} operations`
    const peers = warp?.peers() ?? []
    for (const other of names) {
      if (other === name) continue
      const peer = peers.find(({ address }) => address === other)
      if (peer?.state !== 'up') return `${name} does not see ${other}`
      if (peer.lagCount !== 0)
        return `${other} lacks ${peer.lagCount ?? 'an unknown number of'} operations that ${name} has`
    }
  }
  if (world.openCalls > 0) return `${world.openCalls} calls have not been answered`
  return disagreement(world)
}

/** The first key of which two machines show different values, or that one cannot read because its log is damaged. */
async function disagreement(world: World): Promise<string | undefined> {
  const keyspaces = new Keyspaces(world.options.keys)
  const up = world.up()
  for (const key of world.keys) {
    let first: { readonly name: string; readonly shown: Shown } | undefined
    for (const machine of up) {
      const { warp, name } = machine
      if (warp === undefined) return `${name} is not up`
      const shown = await shownOf(warp, key)
      if (shown.kind === 'error' && shown.code === 'WARP_E_LOG_CORRUPT') {
        world.damaged(machine)
        return `${name} cannot read ${key}`
      }
      if (keyspaces.find(key)?.mode === 'local') continue
      first ??= { name, shown }
      if (!isSameShown(first.shown, shown)) return `${first.name} and ${name} disagree about ${key}`
    }
  }
  return undefined
}
