/**
 * `npm run chaos -- --minutes N`: real processes on real sockets and disks, killed, stopped, with
 * wrong clocks and full disks, while all of them write. In the end all of them hold the same,
 * everything that was acknowledged, and nothing twice.
 *
 * A seed repeats the faults that are drawn, not the moments that they fall on.
 */
import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { fileLog } from '../../adapters/file/index.ts'
import { checkLog } from '../../adapters/node/index.ts'
import { freePorts } from '../../bin/demo/replicas/free-ports.ts'
import { type Random, seededRandom } from '../../testing/world/random.ts'
import { type MountedDisk, mountDisk } from '../support/mounted-disk.ts'
import { endWith } from './end-with.ts'
import { HauntedReplica } from './haunted-replica.ts'
import { KEYS } from './keys.ts'
import { Ledger, type Values } from './ledger.ts'

const REPLICAS_COUNT = 3
const HORIZON_MS = 30_000
const DISK_BYTES = 256 * 1024 * 1024
/** Everything is calm by then; what is not equal so long after that is a violation. */
const CALM_MS_MAX = 180_000
const USAGE = 'npm run chaos -- --minutes <n> [--seed <n>]; numbers are greater than 0'

type FaultKind = 'kill -9' | 'pause' | 'pause beyond the horizon' | 'clock back' | 'clock ahead' | 'full disk'

interface Setting {
  readonly random: Random
  readonly untilMs: number
  readonly counts: Map<FaultKind, number>
}

const { values: flags } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
const minutes = Number(flags.minutes)
const seed = Number(flags.seed ?? Date.now() % 1_000_000)
if (!(minutes > 0) || !(seed > 0)) {
  console.error(USAGE)
  process.exit(2)
}

const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'warp-chaos-')))

/** The violations. */
async function run(): Promise<readonly string[]> {
  console.log(`chaos of ${minutes} minutes, seed ${seed}`)
  const ledger = new Ledger()
  const disk = await ownDisk()
  const replicas = await makeReplicas(ledger, disk)
  await Promise.all(replicas.map((replica) => replica.start()))
  const counts = new Map<FaultKind, number>()
  const untilMs = performance.now() + minutes * 60_000
  await Promise.all(
    replicas.map((replica, i) => haunt(replica, { random: seededRandom(`${seed} ${i}`), untilMs, counts })),
  )
  await Promise.all(replicas.map((replica) => replica.stopWriting()))
  const violations = [...replicas.flatMap(({ faults }) => faults), ...(await settled(replicas, ledger))]
  const events = await Promise.all(replicas.map((replica) => replica.events()))
  await Promise.all(replicas.map((replica) => replica.close()))
  violations.push(...(await auditOf(replicas)))
  await disk?.letGo()
  report({ ledger, counts, events, violations })
  return violations
}

async function ownDisk(): Promise<MountedDisk | undefined> {
  const place = path.join(folder, 'disk')
  mkdirSync(place)
  const disk = await mountDisk(place, DISK_BYTES)
  if (!('whyNot' in disk)) return disk
  console.log(`SKIPPED: full disks (${disk.whyNot})`)
  return undefined
}

async function makeReplicas(ledger: Ledger, disk: MountedDisk | undefined): Promise<HauntedReplica[]> {
  const ports = await freePorts(REPLICAS_COUNT)
  const clusterKey = randomBytes(32).toString('hex')
  return ports.map((port, i) => {
    const ownPath = i === 0 ? disk?.path : undefined
    const settings = {
      ...{ name: `r${i}`, port, clusterKey, peers: ports.map((other) => `127.0.0.1:${other}`) },
      ...{ horizonMs: HORIZON_MS, writersCount: 4, pauseMs: 25 },
      folder: path.join(ownPath ?? folder, `r${i}`),
    }
    return new HauntedReplica(settings, ledger, ownPath)
  })
}

/** One fault after another, each of them over before the next one. */
async function haunt(replica: HauntedReplica, setting: Setting): Promise<void> {
  const { random, untilMs, counts } = setting
  for (;;) {
    await pause(random.between(500, 6000))
    if (performance.now() > untilMs) return
    const kind = draw(random, replica.canFill)
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
    await FAULTS[kind](replica, random)
  }
}

function draw(random: Random, canFill: boolean): FaultKind {
  const share = random.below(100)
  if (share < 40) return 'kill -9'
  if (share < 65) return 'pause'
  if (share < 68) return 'pause beyond the horizon'
  if (share < 78) return 'clock back'
  if (share < 88 || !canFill) return 'clock ahead'
  return 'full disk'
}

const FAULTS: Readonly<Record<FaultKind, (replica: HauntedReplica, random: Random) => Promise<void>>> = {
  'kill -9': async (replica, random) => {
    await replica.kill()
    await pause(random.between(0, 3000))
    await replica.start()
  },
  pause: (replica, random) => stopped(replica, random.between(100, 10_000)),
  'pause beyond the horizon': (replica) => stopped(replica, HORIZON_MS * 1.5),
  'clock back': (replica, random) => shifted(replica, -random.between(1, 3_600_000), random),
  // Others take nothing that is stamped further ahead than the drift allowed until their clocks have come there.
  'clock ahead': (replica, random) => shifted(replica, random.between(1, 3000), random),
  'full disk': async (replica, random) => {
    replica.fillDisk()
    await pause(random.between(100, 5000))
    replica.freeDisk()
  },
}

async function stopped(replica: HauntedReplica, ms: number): Promise<void> {
  await replica.stop()
  await pause(ms)
  replica.continue()
}

async function shifted(replica: HauntedReplica, offsetMs: number, random: Random): Promise<void> {
  await replica.shiftClock(offsetMs)
  await pause(random.between(500, 5000))
  await replica.shiftClock(0)
}

/** Waits until all hold the same and the ledger agrees; what is wrong if that takes too long. */
async function settled(replicas: readonly HauntedReplica[], ledger: Ledger): Promise<string[]> {
  const untilMs = performance.now() + CALM_MS_MAX
  for (;;) {
    const all = await Promise.all(replicas.map((replica) => replica.values()))
    const wrong = all.flatMap((values, i) => ledger.violations(values).map((line) => `r${i}: ${line}`))
    const differing = all.flatMap((values, i) =>
      differences(all[0] ?? [], values).map((key) => `r${i} differs at ${key}`),
    )
    if (wrong.length + differing.length === 0) return []
    if (performance.now() > untilMs) return [...wrong, ...differing.slice(0, 20)]
    await pause(1000)
  }
}

function differences(a: Values, b: Values): string[] {
  const others = new Map(b)
  const keys = new Set([...a.map(([key]) => key), ...others.keys()])
  const own = new Map(a)
  return [...keys].filter((key) => JSON.stringify(own.get(key)) !== JSON.stringify(others.get(key)))
}

/** The logs, folded once more and compared with each other. */
async function auditOf(replicas: readonly HauntedReplica[]): Promise<string[]> {
  const damage: string[] = []
  const logs = replicas.map(({ settings: { name, folder: place } }) => ({
    ...fileLog({ path: place, readOnly: true }),
    name,
  }))
  await checkLog({
    logs,
    keys: KEYS,
    onFinding: ({ severity, message }) => void (severity === 'damage' && damage.push(`audit: ${message}`)),
  })
  return damage
}

interface Outcome {
  readonly ledger: Ledger
  readonly counts: ReadonlyMap<FaultKind, number>
  readonly events: readonly (readonly (readonly [kind: string, count: number])[])[]
  readonly violations: readonly string[]
}

function report({ ledger, counts, events, violations }: Outcome): void {
  for (const [kind, count] of counts) console.log(`  ${kind.padEnd(26)}${String(count).padStart(6)}`)
  const told = new Map<string, number>()
  for (const [kind, count] of events.flat()) told.set(kind, (told.get(kind) ?? 0) + count)
  console.log(`  events in the last lives: ${[...told].map(([kind, count]) => `${kind} ${count}`).join(', ')}`)
  const { tried, acked, refused } = ledger.counts
  console.log(`${tried} writes tried, ${acked} acknowledged, ${refused} refused; ${violations.length} violations`)
  for (const violation of violations) console.log(`  ${violation}`)
}

await endWith(run, folder)
