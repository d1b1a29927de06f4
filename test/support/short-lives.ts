/**
 * Replicas that come, write and go by the thousand, through a cluster of three on virtual time, and
 * the same writes by three that never change: what is left in the end has to be the same.
 */
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { counter, register, set } from '../../crdt/index.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const KEYS = {
  'count:*': { strategy: counter(), retain: 'latest' as const },
  'last:*': { strategy: register<string>(), retain: 'latest' as const },
  'set:*': { strategy: set<number>(), retain: 'latest' as const },
}
const STAYERS = ['a', 'b', 'c']
/** For whom nobody waits any longer after they have died. */
const HORIZON_MS = 60_000
const JOIN_MS = 1500
const LOOK_MS = 50
const QUIET_MS = 60_000
const WAIT_MS_MAX = 60_000

export interface ShortLives {
  readonly livesCount: number
  /** So many at once. */
  readonly waveSize: number
  /**
   * Between two waves. What comes within the horizon of one that died is kept until that is over, and
   * all who come meanwhile are given it. So a life costs what came within the horizon, squared, and
   * has nothing to do with how many have come in all.
   */
  readonly pauseMs?: number
  /** One in so many dies: nobody hears its good-bye. */
  readonly deathEvery: number
  /** Those who stay compact after each wave, and not only when there is enough to do. */
  readonly compacts?: boolean
  readonly onWave?: (livesCount: number, held: Held) => void
  /** Measures the memory when all is quiet. */
  readonly onRest?: () => number
}

/** What the three that stay hold when a wave has gone. */
export interface Held {
  /** The most that one of the three has. */
  readonly vectorEntries: number
  /** What all three have sent since the beginning. */
  readonly sentBytes: number
}

/** What the three that stayed hold when all is quiet. */
export interface Rest {
  readonly countsSum: number
  /** The most of each that one of the three has. */
  readonly vectorEntries: number
  readonly digestBytes: number
  readonly operationsCount: number
  readonly logBytes: number
  readonly membersCount: number
  readonly prunedCount: number
  readonly deathsCount: number
  /** What `onRest` said, 0 without it. */
  readonly heapBytes: number
}

type Replica = Awaited<ReturnType<typeof world>['stayers'][number]>

function world(seed: number) {
  const env = virtualEnv({ seed })
  const network = memoryNetwork({ seed, env, delayMs: 5 })
  const pruned = new Map<string, Set<string>>()
  let lives = 0
  const open = (name: string) =>
    openWarp({
      ...{ keys: KEYS, name, transports: [network.transport(name)], replication: { horizonMs: HORIZON_MS } },
      env: env.fork({ label: `${name} ${++lives}` }),
      observe: (event) => {
        if (event.kind !== 'members:pruned') return
        const by = pruned.get(name) ?? new Set()
        pruned.set(name, by)
        for (const replica of event.replicas) by.add(replica)
      },
    })
  return { env, network, open, pruned, stayers: STAYERS.map(open) }
}

export async function afterShortLives(lives: ShortLives): Promise<Rest> {
  const { livesCount, waveSize, pauseMs = 0, deathEvery, compacts = false, onWave, onRest } = lives
  const at = world(3)
  const stayers = await Promise.all(at.stayers)
  await at.env.advance(3000)
  let deathsCount = 0
  for (let begun = 0; begun < livesCount; begun += waveSize) {
    const names = Array.from({ length: Math.min(waveSize, livesCount - begun) }, (_, i) => `short-${i}`)
    for (const name of names) at.network.heal(name)
    const short = await Promise.all(names.map(at.open))
    // Who writes before it has joined may have to issue that again, and who leaves unheard loses it.
    await until(at.env, () => short.every((replica) => replica.stats().isJoined))
    for (const [i, replica] of short.entries()) await writeAs(replica, begun + i)
    await at.env.advance(LOOK_MS)
    await until(at.env, () => short.every(isHeard))
    for (const [i, name] of names.entries()) {
      if ((begun + i) % deathEvery !== deathEvery - 1) continue
      deathsCount++
      at.network.partition([[name], [...STAYERS, ...names.filter((other) => other !== name)]])
    }
    await closed(at.env, short)
    await at.env.advance(pauseMs)
    if (compacts) for (const stayer of stayers) await stayer.compact()
    onWave?.(begun + names.length, held(stayers))
  }
  return rest({ at, stayers, deathsCount, onRest })
}

function held(stayers: readonly Replica[]): Held {
  const sentBytes = stayers.reduce((bytes, stayer) => bytes + sentOf(stayer).bytes, 0)
  return { vectorEntries: Math.max(...stayers.map(entriesOf)), sentBytes }
}

/** The same writes, by those who stay. */
export async function afterSameWrites({ livesCount, waveSize, onRest }: ShortLives): Promise<Rest> {
  const at = world(3)
  const stayers = await Promise.all(at.stayers)
  await at.env.advance(3000)
  for (let begun = 0; begun < livesCount; begun++) {
    await writeAs(stayers[begun % stayers.length] as Replica, begun)
    if (begun % waveSize === waveSize - 1) await at.env.advance(JOIN_MS)
  }
  return rest({ at, stayers, deathsCount: 0, onRest })
}

async function writeAs(replica: Replica, life: number): Promise<void> {
  await replica.key('count:lives').increment()
  await replica.set(`last:${life % 16}`, `life ${life}`)
  await replica.key('set:lives').add(life % 64)
}

/** By one that stays: what only others have that leave as well is gone with them. */
function isHeard(replica: Replica): boolean {
  return replica.peers().some(({ address, lagCount }) => STAYERS.includes(address) && lagCount === 0)
}

async function until(env: ReturnType<typeof virtualEnv>, isSo: () => boolean): Promise<void> {
  for (let waitedMs = 0; !isSo() && waitedMs < WAIT_MS_MAX; waitedMs += LOOK_MS) await env.advance(LOOK_MS)
}

async function closed(env: ReturnType<typeof virtualEnv>, replicas: readonly Replica[]): Promise<void> {
  let isDone = false
  const closing = Promise.all(replicas.map((replica) => replica.close())).then(() => (isDone = true))
  while (!isDone) await env.advance(LOOK_MS)
  await closing
}

interface Stayed {
  readonly at: ReturnType<typeof world>
  readonly stayers: readonly Replica[]
  readonly deathsCount: number
  readonly onRest: (() => number) | undefined
}

async function rest({ at, stayers, deathsCount, onRest }: Stayed): Promise<Rest> {
  // One who died in the last wave is waited for for the horizon, and given up at the next compaction.
  for (let i = 0; i < 4; i++) {
    await at.env.advance(HORIZON_MS)
    for (const stayer of stayers) await stayer.key('count:rounds').increment()
    await at.env.advance(10_000)
    for (const stayer of stayers) await stayer.compact()
  }
  const before = stayers.map((stayer) => sentOf(stayer))
  await at.env.advance(QUIET_MS)
  const counts = await Promise.all(stayers.map((stayer) => stayer.get('count:lives')))
  const most = (of: (stayer: Replica, i: number) => number): number => Math.max(...stayers.map(of))
  const result: Rest = {
    countsSum: counts.reduce<number>((sum, count) => sum + (count ?? 0), 0),
    vectorEntries: most(entriesOf),
    digestBytes: most((stayer, i) => {
      const [sent, was] = [sentOf(stayer), before[i] ?? { frames: 0, bytes: 0 }]
      return Math.round((sent.bytes - was.bytes) / Math.max(1, sent.frames - was.frames))
    }),
    operationsCount: most((stayer) => stayer.stats().log.operationsCount),
    logBytes: most((stayer) => stayer.stats().log.bytes - stayer.stats().log.discardedBytes),
    membersCount: most((stayer) => fillOf(stayer, 'replicas that are known')),
    prunedCount: Math.min(...STAYERS.map((name) => at.pruned.get(name)?.size ?? 0)),
    deathsCount,
    heapBytes: onRest?.() ?? 0,
  }
  await closed(at.env, stayers)
  return result
}

function entriesOf(stayer: Replica): number {
  return stayer.replicas().filter(({ operationsCount }) => operationsCount > 0).length
}

function sentOf(stayer: Replica): { readonly frames: number; readonly bytes: number } {
  const { framesCount: frames = 0, bytes = 0 } = stayer.stats().replication?.sent ?? {}
  return { frames, bytes }
}

function fillOf(stayer: Replica, queue: string): number {
  return stayer.stats().queues.find(({ name }) => name === queue)?.count ?? 0
}
