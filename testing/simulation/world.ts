/**
 * The world of a simulation: machines, their network and virtual time, all from one seed. It
 * carries out intents and writes down what comes of them; what is wanted, and what goes wrong, come
 * from the workload and from the faults.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { WarpEvent } from '../../src/api/public.ts'
import type { Receipt } from '../../src/store/write-road/receipt.ts'
import { replicationSettings, type ReplicationOptions } from '../../src/replication/options.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { Checker, RunEvent } from '../checkers/checker.ts'
import type { FaultyFiles } from '../world/faulty-files.ts'
import { type Random, seededRandom } from '../world/random.ts'
import { TimeLine } from '../world/time-line.ts'
import { isDataIntent } from './data/data-intent.ts'
import { DataSources } from './data/data-sources.ts'
import { FoundViolations } from './report/found-violations.ts'
import { codeOf, Machine } from './machine.ts'
import { misuseOf } from './faults/misuse.ts'
import { look } from './order/lookers.ts'
import { isOrderIntent } from './order/order-intent.ts'
import { STRONG_KEYS } from './order/order-keys.ts'
import { SimulatedOrder } from './order/simulated-order.ts'
import { isTransferIntent, keysOfTransfer } from './transfers.ts'
import { perform } from './perform.ts'
import { type CallRecord, type Intent, type LifeEvent, type LifeEventKind, RunHistory } from './report/run-history.ts'
import { textOfAnswer, textOfEvent, textOfIntent } from './report/shown.ts'
import { Trace } from './report/trace.ts'
import { RAISED, TAKEN_BACK, UPGRADED } from './report/version-counts.ts'
import { Wire } from './wire.ts'

export interface WorldOptions {
  readonly seed: number | string
  readonly keys: KeyMap
  readonly machines: number
  readonly replication: ReplicationOptions
  readonly segmentBytes: number
  readonly cacheEntriesMax: number
  /** Data is kept elsewhere. Default `false`. */
  readonly keepsDataElsewhere?: boolean
  readonly copiesMax?: number
  /** There is an ordered log. Default `false`. */
  readonly isOrdered?: boolean
  readonly checkers: readonly Checker[]
  /** Keeps the steps of the trace, for people to read. */
  readonly keepsSteps: boolean
  /** Ends the run between two steps. */
  readonly signal?: AbortSignal | undefined
}

/** What a replica says that has found its log damaged. */
const DAMAGED = 'WARP_E_LOG_CORRUPT'

/** How long is waited at a time for what somebody has asked for. */
const STEP_MS = 10

export class World {
  readonly line: TimeLine = new TimeLine()
  readonly history: RunHistory = new RunHistory()
  readonly machines: Machine[] = []
  readonly violations: FoundViolations = new FoundViolations()
  readonly random: Random
  readonly trace: Trace
  readonly wire: Wire
  /** Where the truth is of keys that are kept elsewhere. */
  readonly data: DataSources | undefined
  readonly order: SimulatedOrder | undefined
  readonly options: WorldOptions
  /** Keys that anybody has written. */
  readonly keys: Set<string> = new Set()
  /** Faults that are there all the time: they happen during writes if there are writes. */
  readonly steady: Set<string> = new Set()
  /** Calls that have begun and not ended, writes among them. */
  openCalls = 0
  openWrites = 0
  /** What a user at that machine would do next, as the workload says. */
  drawIntent: (machine: Machine) => Intent = () => {
    throw new TypeError('nobody has said what users do')
  }
  /** What befalls a machine that cannot go on: decided by the faults. */
  onStuck: (machine: Machine, code: string) => void = () => undefined
  /** What comes after a death in the middle of something. */
  onDeath: (machine: Machine) => void = () => undefined
  readonly #open = new Map<Machine, Set<CallRecord>>()
  /** Somebody has called what can never be done. */
  #misuse: WarpError | undefined

  constructor(options: WorldOptions) {
    const { seed, keepsSteps } = options
    this.options = options
    this.random = seededRandom(seed)
    this.trace = new Trace(keepsSteps)
    const { line, trace, history } = this
    const watches = seededRandom(`${seed} watched network`).chance(0.5)
    this.wire = new Wire({ line, trace, history, random: this.random.fork('wire'), watches })
    if (options.keepsDataElsewhere === true)
      this.data = new DataSources({ line, trace, history, random: seededRandom(`${seed} data`) })
    if (options.isOrdered === true) {
      this.order = new SimulatedOrder({ line, history, random: seededRandom(`${seed} order`) })
      for (const key of STRONG_KEYS) this.keys.add(key)
    }
    for (let i = 0; i < options.machines; i++) this.add()
  }

  get nowMs(): number {
    return this.line.nowMs
  }

  /** Machines whose engine is open and runs. */
  up(): Machine[] {
    return this.machines.filter(({ warp }) => warp !== undefined)
  }

  /** One more machine, not started; with a copy of another one's disk if given. */
  add(disk?: FaultyFiles): Machine {
    const { keys, replication, segmentBytes, cacheEntriesMax, copiesMax } = this.options
    const name = `m${this.machines.length}`
    const machine = new Machine(
      {
        ...{ name, keys, replication, segmentBytes, cacheEntriesMax, copiesMax },
        ...{ data: this.data, order: this.order },
        ...{ line: this.line, wire: this.wire, random: this.random.fork(name) },
        onLife: (of, kind, detail) => this.#life(of, kind, detail),
        onEvent: (of, event) => this.#report(of, event),
        onStep: (of, call) => this.trace.note(this.nowMs, `${of.name} ${call}`),
        onDisk: (occurred) => {
          for (const [what, count] of occurred) this.history.count(`disk: ${what}`, count)
        },
        onStuck: (of, code) => this.onStuck(of, code),
        onDeath: (of, how) => {
          this.struck(how, of.name)
          this.onDeath(of)
        },
      },
      disk,
    )
    this.machines.push(machine)
    return machine
  }

  /** Calls `callback` after `delayMs`, whatever happens to whomever. */
  after(delayMs: number, callback: () => void): void {
    this.line.schedule(delayMs, callback)
  }

  /** A fault has really happened. */
  struck(kind: string, text?: string): void {
    this.history.count(kind)
    if (this.openWrites > 0) this.history.count(`${kind} during writes`)
    const line = text === undefined ? kind : `${kind}: ${text}`
    this.trace.note(this.nowMs, line, () => ({ kind: 'world', atMs: this.nowMs, text: line }))
  }

  /** `to` begins with a copy of the disk of `from`. */
  noteCopied(from: Machine, to: Machine): void {
    to.hasRotted = from.hasRotted
    this.#life(from, 'copied', to.name)
  }

  /** Reading from the log of `machine` has shown that it is damaged: somebody will see to it. */
  damaged(machine: Machine): void {
    this.#stuck(machine, DAMAGED)
  }

  /** Somebody at `machine` wants something. Nothing happens if its engine is not open. */
  call(machine: Machine, intent: Intent): CallRecord | undefined {
    const { warp, life } = machine
    if (warp === undefined || life === undefined) return undefined
    const record = this.#begin(machine, intent)
    const { line, data, history } = this
    perform(warp, intent, { line, life, data, machine, history, call: record.id }).then(
      (value) => life.isAlive && this.#end(machine, record, { outcome: 'ok', value }),
      (error: unknown) => {
        if (!life.isAlive) return
        this.#misuse ??= misuseOf(record, error)
        this.#end(machine, record, { outcome: outcomeOf(error), error })
      },
    )
    return record
  }

  /** Tells the checkers how much each machine holds. */
  weigh(): void {
    const { replication, cacheEntriesMax } = this.options
    const waitingOperations = replicationSettings(replication).bufferOperationsMax
    const bounds = { waitingOperations, cacheEntries: cacheEntriesMax, peers: this.machines.length - 1 }
    for (const { name, warp } of this.up())
      if (warp !== undefined) this.#tell({ kind: 'load', machine: name, stats: warp.stats(), bounds })
  }

  /** Lets time pass until what has been asked for is there; `undefined` if that takes too long. */
  async await<Value>(asked: Promise<Value>, mostMs: number): Promise<Value | undefined> {
    let isDone = false
    const end = (): void => void (isDone = true)
    asked.then(end, end)
    await this.line.settle()
    const limitMs = this.nowMs + mostMs
    while (!isDone && this.nowMs < limitMs) await this.advanceTo(this.nowMs + STEP_MS)
    return isDone ? asked : undefined
  }

  /**
   * Throws `WARP_E_ABORTED` when the signal fires, and `WARP_E_CONFIG` for a call that can never be
   * done.
   */
  async advanceTo(targetMs: number): Promise<void> {
    await this.line.advanceTo(targetMs, () => this.#assertGoesOn())
  }

  #assertGoesOn(): void {
    if (this.#misuse !== undefined) throw this.#misuse
    const { seed, signal } = this.options
    if (signal?.aborted !== true) return
    const message = `simulate: seed ${seed} was given up after ${(this.nowMs / 1000).toFixed(1)} virtual seconds`
    throw new WarpError('WARP_E_ABORTED', message, { cause: signal.reason, details: { seed } })
  }

  #begin(machine: Machine, intent: Intent): CallRecord {
    const { history, nowMs } = this
    const record: CallRecord = {
      ...{ id: history.calls.length, machine: machine.name, life: machine.lifeNumber, disk: machine.diskNumber },
      ...{ intent, startedMs: nowMs, wallMs: machine.clock.wallMs, endedMs: Infinity, outcome: 'pending' },
    }
    history.calls.push(record)
    this.openCalls++
    if (isWrite(intent)) this.openWrites++
    if (isWrite(intent) || ((isDataIntent(intent) || isOrderIntent(intent)) && 'key' in intent))
      this.keys.add(intent.key)
    if (isTransferIntent(intent)) for (const key of keysOfTransfer(intent)) this.keys.add(key)
    const open = this.#open.get(machine) ?? new Set()
    this.#open.set(machine, open.add(record))
    this.#tellCall(machine, record)
    return record
  }

  #end(machine: Machine, record: CallRecord, end: Ended): void {
    if (this.#open.get(machine)?.delete(record) !== true) return
    this.openCalls--
    record.endedMs = this.nowMs
    record.outcome = end.outcome
    if (end.error !== undefined) record.error = codeOf(end.error)
    if (isWrite(record.intent)) this.#endWrite(record, end)
    else record.value = end.value
    this.order?.ended(record, end.error)
    const sequence = record.receipt?.dot?.sequence
    const text = `${textOfIntent(record.intent)} ${end.outcome} ${record.error ?? sequence ?? ''}`
    this.trace.note(this.nowMs, `${machine.name} ${text}`, () => ({
      ...{ kind: 'call', atMs: this.nowMs, machine: machine.name, text: `${text.trimEnd()}${textOfAnswer(record)}` },
    }))
    this.#tellCall(machine, record)
    if (record.error === DAMAGED) this.#stuck(machine, DAMAGED)
  }

  #endWrite(record: CallRecord, { outcome, value }: Ended): void {
    this.openWrites--
    if (outcome === 'ok') record.receipt = value as Receipt
    if (this.nowMs === record.startedMs) return
    for (const kind of this.steady) this.history.count(`${kind} during writes`)
  }

  #life(machine: Machine, kind: LifeEventKind, detail: string | undefined): void {
    if (kind === 'opened') this.#opened(machine)
    if (kind === 'opened' && this.order !== undefined) this.#look(machine)
    const { name, format, lifeNumber: life, diskNumber: disk } = machine
    const event: LifeEvent = {
      ...{ atMs: this.nowMs, machine: name, life, disk, kind, format },
      ...(machine.warp === undefined ? {} : { replica: machine.warp.replica }),
      ...(detail === undefined ? {} : { detail }),
    }
    this.history.lives.push(event)
    if (!machine.isAlive) this.#abandon(machine)
    const text = [kind, detail ?? '', event.replica ?? ''].join(' ').trim()
    this.trace.note(this.nowMs, `${machine.name} ${text}`, () => ({
      ...{ kind: 'life', atMs: this.nowMs, machine: machine.name, text },
    }))
    this.#tell({ kind: 'life', life: event })
  }

  #look({ name, warp, life }: Machine): void {
    const { history, line } = this
    if (warp !== undefined && life !== undefined) look({ machine: name, warp, life, history, nowMs: () => line.nowMs })
  }

  /** Whether the build has been exchanged. */
  #opened({ name, format, formatRun }: Machine): void {
    if (format > formatRun) this.struck(UPGRADED, name)
    else if (format < formatRun && !this.history.occurred.has(RAISED)) this.struck(TAKEN_BACK, name)
  }

  /** Whoever waited for an answer of a process that is gone does not know. */
  #abandon(machine: Machine): void {
    for (const record of this.#open.get(machine) ?? [])
      this.#end(machine, record, { outcome: 'indeterminate', error: new Error('died') })
  }

  #report(machine: Machine, event: WarpEvent): void {
    const report = { atMs: this.nowMs, machine: machine.name, life: machine.lifeNumber, event }
    this.history.reports.push(report)
    this.history.count(`reported: ${event.kind}`)
    this.trace.note(this.nowMs, `${machine.name} ${event.kind}`, () => ({
      ...{ kind: 'report', atMs: this.nowMs, machine: machine.name, text: textOfEvent(event) },
    }))
    this.#tell({ kind: 'report', report, peers: () => machine.warp?.peers() ?? [] })
    if (event.kind === 'poisoned') this.#life(machine, 'poisoned', undefined)
    if (event.kind === 'poisoned') this.#stuck(machine, 'WARP_E_STORAGE_POISONED')
    else if (event.kind === 'format:refused' && event.side === 'us') this.#stuck(machine, 'WARP_E_PROTOCOL')
    else if ('error' in event && isFromDamage(event.error)) this.#stuck(machine, DAMAGED)
  }

  /** Decided when the process has finished what it is doing. */
  #stuck(machine: Machine, code: string): void {
    const life = machine.lifeNumber
    this.line.defer(() => {
      if (machine.lifeNumber === life && machine.isAlive) this.onStuck(machine, code)
    })
  }

  #tellCall(machine: Machine, call: CallRecord): void {
    this.#tell({
      kind: 'call',
      call,
      peek: (key) => peekAt(machine, key),
      knows: (dot) => knows(machine, dot),
    })
  }

  #tell(event: RunEvent): void {
    for (const checker of this.options.checkers) {
      const found = checker.observe?.(event)
      for (const violation of found ?? []) this.violations.add(violation)
    }
  }
}

/** What cannot be read will be found out by those who read it. */
function peekAt({ warp }: Machine, key: string): unknown {
  try {
    return warp?.peek(key)
  } catch {
    return undefined
  }
}

/** Whether an operation has been taken in there. */
function knows({ warp }: Machine, { replica, sequence }: Dot): boolean {
  const known = warp?.replicas().find((one) => one.replica === replica)
  return known !== undefined && known.operationsCount >= sequence
}

interface Ended {
  readonly outcome: CallRecord['outcome']
  readonly value?: unknown
  readonly error?: unknown
}

export function isWrite(intent: Intent): intent is Extract<Intent, { kind: 'write' | 'delete' }> {
  return intent.kind === 'write' || intent.kind === 'delete'
}

/** Only what says so itself is certain not to have happened. */
function outcomeOf(error: unknown): 'failed' | 'indeterminate' {
  return error instanceof Error && 'outcome' in error && error.outcome === 'failed' ? 'failed' : 'indeterminate'
}

/**
 * A damaged log is what stands behind it: a state that cannot be taken over because of what is to
 * be kept, say.
 */
function isFromDamage(error: unknown): boolean {
  return error instanceof Error && (codeOf(error) === DAMAGED || isFromDamage(error.cause))
}
