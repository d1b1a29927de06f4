/**
 * One simulated run, from its seed to its verdict:
 *
 *     warm up ─► faults ─► heal, come to rest ─► verify ─► compact, verify (every second run)
 *       ─► restart all ─► verify ─► close, audit every log ─► verify
 *
 * Users go on until the faults end. That the replicas come to rest within a bound is itself
 * checked: it is the liveness of replication.
 */
import { checkLogOn } from '../../src/audit/check-log.ts'
import type { Finding } from '../../src/audit/finding.ts'
import type { ReplicationOptions } from '../../src/replication/options.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { Checker, MachineView, Moment, RowView, Shown, SourcesView } from '../checkers/checker.ts'
import { brokenLogViolations } from '../checkers/strong/broken-log.ts'
import { type Random, seededRandom } from '../world/random.ts'
import { virtualEnv } from '../world/virtual-env.ts'
import type { DataSources } from './data/data-sources.ts'
import { logUniform } from './faults/fault.ts'
import { FaultDriver } from './faults/fault-driver.ts'
import { drawFaults, type FaultKind, type PlannedFault } from './faults/fault-plan.ts'
import type { FoundViolation } from './report/found-violations.ts'
import type { Machine } from './machine.ts'
import { breakLog } from './order/break-log.ts'
import { questionsAtRest } from './order/questions.ts'
import { checkIntent } from './faults/misuse.ts'
import { atRest, readAt } from './rest.ts'
import type { CallRecord, Intent, LifeEventKind } from './report/run-history.ts'
import { isSplit, SPLIT } from './splits.ts'
import type { Workload } from './workload.ts'
import { isWrite, World } from './world.ts'

export interface Scenario {
  readonly seed: number | string
  readonly keys: KeyMap
  readonly workload: Workload
  /** The keys are those of data/data-keys.ts. */
  readonly keepsDataElsewhere: boolean
  /** There is an ordered log; the keys are those of order/order-keys.ts. */
  readonly isOrdered: boolean
  /** It loses what it had acknowledged, and the run ends there. */
  readonly breaksOrder: boolean
  /** What may be drawn. */
  readonly faults: readonly FaultKind[]
  readonly replicas: number
  /** Of warming up and faults together. */
  readonly seconds: number
  /** Intents a second, about; drawn if absent. */
  readonly callsPerSecond?: number
}

export interface RunResult {
  readonly world: World
  readonly plan: readonly PlannedFault[]
  readonly violations: readonly FoundViolation[]
  readonly hash: string
  readonly virtualMs: number
  /** From the end of the faults until all replicas were at rest. */
  readonly restMs: number
}

/** The share of the time before anything goes wrong. */
const WARM_UP = 0.1
/** Within this the replicas must have come to rest. */
const REST_MS_MAX = 120_000
const LOOK_MS = 500
const LOAD_MS = 4000
/** Before an ordered log breaks, and from then on. */
const BEHIND_MS = 3000
const BROKEN_MS = 10_000
/** So long operations may wait for what may still come. */
const WAITING_MS = 30_000
const LOSSES: readonly LifeEventKind[] = ['disk lost', 'restored', 'bit rot', 'left', 'power failure']

export interface RunOptions {
  readonly checkers: readonly Checker[]
  /** Keeps the steps of the trace. Default `false`. */
  readonly keepsSteps?: boolean
  readonly signal?: AbortSignal | undefined
}

/** Throws `WARP_E_CONFIG` for keys and calls that can never work, and `WARP_E_ABORTED`. */
export async function run(scenario: Scenario, options: RunOptions): Promise<RunResult> {
  return new Run(scenario, options).run()
}

class Run {
  readonly #scenario: Scenario
  readonly #checkers: readonly Checker[]
  readonly #world: World
  readonly #random: Random
  readonly #driver: FaultDriver
  readonly #keyspaces: Keyspaces
  #restMs = 0
  #unique = 0

  constructor(scenario: Scenario, { checkers, keepsSteps = false, signal }: RunOptions) {
    const { seed, keys, replicas, keepsDataElsewhere, isOrdered } = scenario
    this.#keyspaces = new Keyspaces(keys, isOrdered)
    this.#scenario = scenario
    this.#checkers = checkers
    this.#world = new World({
      seed,
      keys,
      machines: replicas,
      checkers,
      keepsSteps,
      signal,
      keepsDataElsewhere,
      isOrdered,
      ...drawSettings(seed),
    })
    this.#random = this.#world.random.fork('users')
    this.#driver = new FaultDriver(this.#world)
    // Numbers of their own: what a fault draws changes nothing of what the users do.
    const faultRandom = seededRandom(`${seed} users of faults`)
    this.#world.drawIntent = (machine) => this.#intentAt(machine, faultRandom)
  }

  async run(): Promise<RunResult> {
    const { seconds, faults } = this.#scenario
    const world = this.#world
    const endMs = seconds * 1000
    for (const machine of world.machines) void machine.start()
    const plan = drawFaults(world.random.fork('plan'), faults)
    this.#users(endMs)
    this.#weigh()
    await world.advanceTo(endMs * WARM_UP)
    this.#driver.begin(plan, endMs)
    await world.advanceTo(endMs)
    this.#driver.heal()
    await this.#verifyAll()
    this.#countFrames()
    this.#lookForWrites()
    const { nowMs: virtualMs, trace } = world
    return { world, plan, violations: world.violations.list, hash: trace.hash, virtualMs, restMs: this.#restMs }
  }

  async #verifyAll(): Promise<void> {
    const world = this.#world
    const startMs = world.nowMs
    const isAtRest = await this.#comeToRest('after the faults')
    this.#restMs = world.nowMs - startMs
    if (!isAtRest) return
    if (!(await this.#ask())) return
    await this.#verify('quiesced')
    if (this.#scenario.breaksOrder) return this.#breakOrder()
    await this.#compactAll()
    await this.#restartAll()
    if (!(await this.#comeToRest('after all were restarted'))) return
    if (!(await this.#ask())) return
    const views = await this.#verify('restarted')
    await this.#closeAll()
    await this.#audit(views)
  }

  /** What is known only by asking. Returns whether all are at rest behind it. */
  async #ask(): Promise<boolean> {
    const world = this.#world
    if (world.order === undefined) return true
    world.history.restedMs = Math.min(world.history.restedMs, world.nowMs)
    world.history.askedMs = world.nowMs
    for (const questions of questionsAtRest(world.order)) {
      for (const { machine, intent } of questions(world)) world.call(machine, intent)
      const limitMs = world.nowMs + REST_MS_MAX
      while (world.openCalls > 0 && world.nowMs < limitMs) await world.advanceTo(world.nowMs + 10)
      if (world.openCalls > 0)
        world.violations.add({ invariant: 'W41', message: 'what is asked at rest is not answered' })
    }
    // Who was about to leave has left meanwhile, say.
    return this.#comeToRest('after all were asked')
  }

  /** Some replicas are behind when it happens. Then all go on, and everybody who has lost something notices. */
  async #breakOrder(): Promise<void> {
    const world = this.#world
    if (world.order === undefined) return
    const random = seededRandom(`${this.#scenario.seed} break`)
    const behind = world.up().flatMap(({ name }) => (random.chance(0.4) ? [name] : []))
    world.order.cut(behind.slice(1))
    this.#users(world.nowMs + BEHIND_MS + BROKEN_MS)
    await world.advanceTo(world.nowMs + BEHIND_MS)
    const names = world.up().map(({ name }) => name)
    const breakage = breakLog({ order: world.order, random, names, keys: world.keys, nowMs: world.nowMs })
    world.struck('log broken', `${breakage.kind} of partition ${breakage.partition}`)
    world.order.mend(behind)
    await world.advanceTo(world.nowMs + BROKEN_MS)
    // Whoever has heard nothing of that partition asks now.
    for (const machine of world.up()) world.call(machine, { kind: 'versioned', key: breakage.key })
    await world.advanceTo(world.nowMs + BROKEN_MS)
    for (const violation of brokenLogViolations(world.history, breakage)) world.violations.add(violation)
  }

  /** Users come in bursts; each goes to any machine that is up. */
  #users(endMs: number): void {
    const world = this.#world
    const { isOrdered } = this.#scenario
    // What is strong shows what is wrong with it where several want the same at one time.
    const [least, most] = isOrdered ? [6, 24] : [2, 12]
    const { callsPerSecond = logUniform(this.#random, least, most) } = this.#scenario
    const next = (): void => {
      if (world.nowMs >= endMs) return
      for (let burst = this.#random.chance(0.05) ? 10 : 1; burst > 0; burst--) {
        const up = world.up()
        if (up.length === 0) break
        const machine = this.#random.pick(up)
        world.call(machine, this.#intentAt(machine, this.#random))
      }
      world.after((-Math.log(1 - this.#random.float()) * 1500) / callsPerSecond, next)
    }
    world.after(0, next)
  }

  #intentAt(machine: Machine, random: Random): Intent {
    const { wallMs } = machine.clock
    const moment = { random, nowMs: this.#world.nowMs, wallMs, unique: () => ++this.#unique }
    const intent: unknown = this.#scenario.workload(moment)
    const { order } = this.#world
    if (order !== undefined) return order.made(machine.name, intent as Intent)
    if (!this.#scenario.keepsDataElsewhere) checkIntent(intent, this.#keyspaces)
    return intent as Intent
  }

  /** Tells the checkers now and then how much the machines hold. */
  #weigh(): void {
    this.#world.weigh()
    this.#world.after(LOAD_MS, () => this.#weigh())
  }

  async #comeToRest(when: string): Promise<boolean> {
    const world = this.#world
    const limitMs = world.nowMs + REST_MS_MAX
    const mayWaitMs = this.#mayMissOperations ? world.nowMs + WAITING_MS : Infinity
    let reason = 'nobody has looked'
    while (world.nowMs < limitMs) {
      await world.advanceTo(world.nowMs + LOOK_MS)
      const mayWait = world.nowMs >= mayWaitMs
      const why = await atRest(world, mayWait)
      if (why === undefined && mayWait) world.history.exempt('operations wait for what is gone for good')
      if (why === undefined) return true
      reason = why
    }
    if (isSplit(world.history, limitMs - REST_MS_MAX)) {
      world.history.exempt(SPLIT)
      return false
    }
    const message = `not at rest ${REST_MS_MAX / 1000} s ${when}: ${reason}`
    world.violations.add({ invariant: 'W01', message })
    return false
  }

  /**
   * Disks and machines have gone, perhaps with operations that others have seen the successors of:
   * those wait, and nobody can help.
   */
  get #mayMissOperations(): boolean {
    return this.#world.history.lives.some(({ kind }) => LOSSES.includes(kind))
  }

  async #restartAll(): Promise<void> {
    const world = this.#world
    const isInOrder = this.#random.chance(0.5)
    if (isInOrder) await this.#closeAll()
    else {
      // What is only in memory would be lost by right: everything has been at rest for long enough
      // to be stored.
      for (const machine of world.machines) machine.end('killed')
    }
    for (const machine of world.machines) if (!machine.hasLeft) void machine.start()
  }

  /**
   * In every second run, so that starting anew is tried with logs as they have come to be as well.
   */
  async #compactAll(): Promise<void> {
    const world = this.#world
    if (!seededRandom(`${this.#scenario.seed} compaction`).chance(0.5)) return
    for (const machine of world.up()) if (!machine.hasRotted) world.call(machine, { kind: 'compact' })
    const limitMs = world.nowMs + REST_MS_MAX
    while (world.openCalls > 0 && world.nowMs < limitMs) await world.advanceTo(world.nowMs + 10)
    if (world.openCalls > 0) world.violations.add({ invariant: 'W27', message: 'compaction does not end' })
    // At rest again: one of them may show for a moment longer what expires just now.
    if (await this.#comeToRest('after all were compacted')) await this.#verify('compacted')
  }

  async #closeAll(): Promise<void> {
    const closing = Promise.all(this.#world.machines.map((machine) => machine.close()))
    await this.#drive(closing)
  }

  /** Lets time pass until the promise settles. */
  async #drive(promise: Promise<unknown>): Promise<void> {
    const isEnded = await this.#world.await(
      promise.then(
        () => true,
        () => true,
      ),
      REST_MS_MAX,
    )
    if (isEnded !== true) this.#world.violations.add({ invariant: 'W22', message: 'closing does not end' })
  }

  async #verify(phase: Moment['phase']): Promise<MachineView[]> {
    const world = this.#world
    const views: MachineView[] = []
    for (const machine of world.up()) {
      const view = await viewOf(machine, world)
      if (view !== undefined) views.push(view)
    }
    const { nowMs, history, options, data, order } = world
    const sources = data === undefined ? {} : { sources: sourcesOf(data) }
    const log = order === undefined ? {} : { order }
    await this.#check({ phase, nowMs, history, keys: options.keys, machines: views, ...sources, ...log })
    return views
  }

  async #audit(views: readonly MachineView[]): Promise<void> {
    const world = this.#world
    const { keys } = this.#scenario
    const findings: Finding[] = []
    const logs = world.machines
      .filter(({ hasLeft }) => !hasLeft)
      .map(({ name, disk }) => ({ name, open: () => disk.store().open() }))
    const env = virtualEnv({ wallMs: world.machines[0]?.clock.wallMs ?? 0 })
    const format = Math.max(...world.machines.map((machine) => machine.format))
    const report = await checkLogOn({ env, format }, { logs, keys, onFinding: (finding) => findings.push(finding) })
    const moment = { history: world.history, keys, machines: views, audit: { report, findings } }
    await this.#check({ phase: 'replayed', nowMs: world.nowMs, ...moment })
  }

  async #check(moment: Moment): Promise<void> {
    const { violations } = this.#world
    for (const checker of this.#checkers)
      for (const violation of await checker.verify(moment)) violations.add(violation, moment.phase)
  }

  /** A clean run has checked something: it is said if there was nothing to check. */
  #lookForWrites(): void {
    const { history, violations } = this.#world
    const writes = history.calls.filter(({ intent }) => isWrite(intent))
    if (writes.length === 0) history.exempt('the workload wrote nothing')
    else if (writes.every(isRefused)) {
      const codes = [...new Set(writes.map(({ error }) => error))].join(', ')
      const message = `nothing was checked, for every write was refused (${writes.length}, with ${codes}); have the workload do what the keys allow`
      violations.add({ invariant: 'workload', message })
    } else if (writes.every(({ outcome }) => outcome !== 'ok')) history.exempt('no write was acknowledged')
  }

  #countFrames(): void {
    const { history, wire } = this.#world
    const { lostFrames, repeatedFrames, reorderedFrames, cutFrames, droppedFrames, deliveredFrames } = wire.stats
    const counts = { lostFrames, repeatedFrames, reorderedFrames, cutFrames, droppedFrames, deliveredFrames }
    for (const [name, count] of Object.entries(counts)) history.count(`network: ${name}`, count)
  }
}

/** `undefined` if it leaves meanwhile: reads that ask the ordered log take their time. */
async function viewOf(machine: Machine, world: World): Promise<MachineView | undefined> {
  const { name, warp, lifeNumber, diskNumber } = machine
  if (warp === undefined) return undefined
  const values = new Map<string, Shown>()
  for (const key of world.keys) values.set(key, await readAt(world, warp, key))
  return machine.warp === warp ? { name, life: lifeNumber, disk: diskNumber, warp, values } : undefined
}

function sourcesOf({ rows, source }: DataSources): SourcesView {
  const rowsOf = (key: string): RowView[] =>
    (rows.written.get(key) ?? []).map((row) => ({ atMs: row.atMs, by: row.by, value: rows.valueOf(row) }))
  return { rowsOf, versionAt: (key, atMs) => source.versionAt(key, atMs) }
}

/** By the engine, whatever the disk did. */
function isRefused({ outcome, error = '' }: CallRecord): boolean {
  return outcome === 'failed' && !error.startsWith('WARP_E_STORAGE')
}

interface Settings {
  readonly replication: ReplicationOptions
  readonly segmentBytes: number
  readonly cacheEntriesMax: number
  readonly copiesMax: number
}

/** How the engines are set up differs from run to run as well. */
function drawSettings(seed: number | string): Settings {
  const random = seededRandom(`${seed} settings`)
  return {
    segmentBytes: random.pick([4096, 16_384, 65_536]),
    cacheEntriesMax: random.pick([3, 20, 1_000_000]),
    copiesMax: seededRandom(`${seed} copies`).pick([5, 1_000_000]),
    replication: {
      digestIntervalMs: Math.round(logUniform(random, 500, 3000)),
      peerSilentMs: 5000,
      retryDelayMsMax: 4000,
      horizonMs: Math.round(logUniform(random, 10_000, 200_000)),
      awayMs: Math.round(logUniform(random, 10_000, 200_000)),
      snapshotChunkBytes: 16_384,
      batchBytes: 16_384,
      windowBytes: 65_536,
      snapshotIdleMs: 3000,
    },
  }
}
