/**
 * Whether the replicas have come to rest: all are up, nobody waits for anything, and all show the
 * same.
 */
import { Keyspaces } from '../../src/keys/keyspace.ts'
import type { Warp } from '../../src/api/public.ts'
import type { Stats } from '../../src/api/stats.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { Shown } from '../checkers/checker.ts'
import { isShared } from '../checkers/convergence.ts'
import { isSameShown, shownOf, textOfShown } from './report/shown.ts'
import type { World } from './world.ts'

/** For a read; longer than any bound of a load. */
const READ_MS_MAX = 30_000

/**
 * `undefined`, or a sentence that says what is still going on. `mayWait`: operations may wait for
 * others, which nobody has any more.
 */
export async function atRest(world: World, mayWait: boolean): Promise<string | undefined> {
  const staying = world.machines.filter(({ hasLeft }) => !hasLeft)
  const names = new Set(staying.map(({ name }) => name))
  for (const { name, warp } of staying) {
    if (warp === undefined) return `${name} is not up`
    const business = unfinished({ name, warp, names, mayWait })
    if (business !== undefined) return business
  }
  // What a replica holds that nobody has heard yet may still come, under another name.
  const leaving = world.machines.find(({ hasLeft, state }) => hasLeft && state !== 'down')
  if (leaving !== undefined) return `${leaving.name} has not left yet`
  if (world.openCalls > 0) return `${world.openCalls} calls have not been answered`
  return disagreement(world)
}

interface Staying {
  readonly name: string
  readonly warp: Pick<Warp<KeyMap>, 'stats' | 'peers'>
  readonly names: ReadonlySet<string>
  readonly mayWait: boolean
}

/** What one of them still has to do, or to hear. */
function unfinished({ name, warp, names, mayWait }: Staying): string | undefined {
  const { isJoined, operations, stores } = warp.stats()
  if (names.size > 1 && !isJoined) return `${name} has not joined`
  if (hasUnstored(stores)) return `${name} has writes that its store lacks`
  if (!mayWait && operations.waitingCount > 0) return `${name} waits for ${operations.waitingCount} operations`
  const peers = new Map(warp.peers().map((peer) => [peer.address, peer]))
  for (const other of names) {
    if (other === name) continue
    const peer = peers.get(other)
    if (peer?.state !== 'up') return `${name} does not see ${other}`
    if (peer.lagCount !== 0)
      return `${other} lacks ${peer.lagCount ?? 'an unknown number of'} operations that ${name} has`
  }
  return undefined
}

function hasUnstored(stores: Stats['stores']): boolean {
  return stores?.some(({ unstoredKeysCount }) => unstoredKeysCount > 0) === true
}

/** What a replica shows of a key, once it has asked whom it has to ask. */
export async function readAt(world: World, warp: Warp<KeyMap>, key: string): Promise<Shown> {
  return (await world.await(shownOf(warp, key), READ_MS_MAX)) ?? { kind: 'error', code: 'never answered' }
}

/**
 * The first key of which two machines show different values, or that one cannot read because its
 * log is damaged.
 */
async function disagreement(world: World): Promise<string | undefined> {
  const keyspaces = new Keyspaces(world.options.keys, world.order !== undefined)
  const up = world.up()
  for (const key of world.keys) {
    let first: { readonly name: string; readonly shown: Shown } | undefined
    for (const machine of up) {
      const { warp, name } = machine
      if (warp === undefined) return `${name} is not up`
      const shown = await readAt(world, warp, key)
      if (shown.kind === 'error' && shown.code === 'WARP_E_LOG_CORRUPT') {
        world.damaged(machine)
        return `${name} cannot read ${key}`
      }
      if (!isShared(keyspaces.find(key))) continue
      first ??= { name, shown }
      if (!isSameShown(first.shown, shown)) {
        const [one, other] = [textOfShown(first.shown), textOfShown(shown)]
        return `${first.name} and ${name} disagree about ${key}: ${one}, and ${other}`
      }
    }
  }
  return undefined
}
