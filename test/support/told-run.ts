/** A run told by hand, to ask a checker about: who called what, with what outcome, and what the machines showed meanwhile. */
import { REPLICA_ID_BYTES, replicaIdFromBytes, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { FORMAT_VERSION } from '../../src/operation/envelope/format.ts'
import type { PeerReport } from '../../src/replication/replication-stats.ts'
import type { Ack } from '../../src/store/write-road/receipt.ts'
import { shownFrom } from '../../testing/simulation/report/shown.ts'
import {
  type CallRecord,
  type Intent,
  type LifeEvent,
  type LifeEventKind,
  RunHistory,
} from '../../testing/simulation/report/run-history.ts'
import type {
  Checker,
  CheckerFactory,
  MachineView,
  Moment,
  RunEvent,
  Violation,
} from '../../testing/checkers/checker.ts'
import { VIRTUAL_START_MS } from '../../testing/world/virtual-env.ts'
import type { Warp, WarpEvent } from '../../src/api/public.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'

type Answers = Partial<Pick<Warp<KeyMap>, 'get' | 'getAt' | 'log' | 'replica' | 'leases'>>

const REPLICA = replicaIdFromBytes(new Uint8Array(REPLICA_ID_BYTES).fill(1))

export class ToldRun {
  readonly history: RunHistory = new RunHistory()
  readonly #keys: KeyMap
  readonly #checker: Checker
  readonly #shown = new Map<string, Map<string, unknown>>()
  readonly #answers = new Map<string, Answers>()
  readonly #lives = new Map<string, number>()
  readonly #known = new Map<string, number>()
  readonly #found: Violation[] = []
  #nowMs = 0

  constructor(factory: CheckerFactory, keys: KeyMap) {
    this.#keys = keys
    this.#checker = factory({ keys })
  }

  /** From now on this is what the machine shows at these keys. */
  shows(machine: string, values: Readonly<Record<string, unknown>>): this {
    const shown = this.#shown.get(machine) ?? new Map<string, unknown>()
    this.#shown.set(machine, shown)
    for (const [key, value] of Object.entries(values)) shown.set(key, value)
    return this
  }

  /** What the machine's engine says when a verification asks it. */
  answers(machine: string, answers: Answers): this {
    this.#answers.set(machine, answers)
    return this.shows(machine, {})
  }

  /** The machine has taken in the operations up to this one. */
  knows(machine: string, sequence: number): this {
    this.#known.set(machine, sequence)
    return this
  }

  /** The machine has begun to take over a state, and has died or had no space. */
  takesOverHalf(machine: string): this {
    return this.reports(machine, { kind: 'resync:interrupted' })
  }

  /** The machine has taken over a state as a whole. */
  takesOver(machine: string): this {
    return this.reports(machine, { kind: 'resync:done', replica: REPLICA, chunkCount: 1 })
  }

  /** The machine's engine reports something, while it has these peers. */
  reports(machine: string, event: WarpEvent, peers: readonly PeerReport[] = []): this {
    const report = { atMs: 0, machine, life: this.#lives.get(machine) ?? 1, event }
    return this.tell({ kind: 'report', report, peers: () => peers })
  }

  /** The machine is opened with a build of that format. */
  opens(machine: string, format: number, replica: ReplicaId = REPLICA): this {
    return this.tell({ kind: 'life', life: { ...this.#lived(machine, 'opened'), format, replica } })
  }

  /** The machine's folder refuses a build of that format. */
  refuses(machine: string, format: number): this {
    return this.tell({
      kind: 'life',
      life: { ...this.#lived(machine, 'refused'), format, detail: 'WARP_E_LOG_VERSION' },
    })
  }

  begin(machine: string, intent: Intent): CallRecord {
    const record: CallRecord = {
      ...{ id: this.history.calls.length, machine, life: this.#lives.get(machine) ?? 1, disk: 1, intent },
      ...{ startedMs: ++this.#nowMs, wallMs: VIRTUAL_START_MS + this.#nowMs, endedMs: Infinity, outcome: 'pending' },
    }
    this.history.calls.push(record)
    this.#tell(record)
    return record
  }

  end(call: CallRecord, end: Partial<CallRecord>): CallRecord {
    Object.assign(call, { endedMs: ++this.#nowMs, ...end })
    this.#tell(call)
    return call
  }

  /** A write that is done. */
  write(machine: string, key: string, verb: string, ...parameters: readonly unknown[]): CallRecord {
    return this.done(this.begin(machine, { kind: 'write', key, verb, parameters }))
  }

  delete(machine: string, key: string): CallRecord {
    return this.done(this.begin(machine, { kind: 'delete', key }))
  }

  done(call: CallRecord, ack: Ack = 'logged'): CallRecord {
    const receipt = { dot: { replica: REPLICA, sequence: call.id + 1 }, version: 1, ack }
    return this.end(call, { outcome: 'ok', receipt })
  }

  /** Gives what the machine shows, or `value` if that is not what it gave. */
  read(machine: string, key: string, value: unknown = this.#shown.get(machine)?.get(key)): CallRecord {
    return this.end(this.begin(machine, { kind: 'read', key }), { outcome: 'ok', value })
  }

  /** Something befalls the machine. */
  befalls(machine: string, kind: LifeEventKind): this {
    const event = this.#lived(machine, kind)
    this.history.lives.push(event)
    this.#lives.set(machine, event.life + 1)
    return this
  }

  #lived(machine: string, kind: LifeEventKind): LifeEvent {
    const life = this.#lives.get(machine) ?? 1
    return { atMs: ++this.#nowMs, machine, life, disk: 1, kind, format: FORMAT_VERSION }
  }

  tell(event: RunEvent): this {
    this.#found.push(...(this.#checker.observe?.(event) ?? []))
    return this
  }

  /** Everything that the checker has found by now and finds at this verification. */
  async violations(phase: Moment['phase'] = 'quiesced', more: Partial<Moment> = {}): Promise<Violation[]> {
    const machines = await Promise.all([...this.#shown.keys()].map((name) => this.#view(name)))
    const moment = { phase, nowMs: this.#nowMs, history: this.history, keys: this.#keys, machines, ...more }
    return [...this.#found, ...(await this.#checker.verify(moment))]
  }

  async #view(name: string): Promise<MachineView> {
    const written = this.history.calls.flatMap(({ intent }) => ('key' in intent ? [intent.key] : []))
    const keys = new Set([...written, ...(this.#shown.get(name)?.keys() ?? [])])
    const shown = [...keys].map(async (key) => [key, await shownFrom(() => this.#shown.get(name)?.get(key))] as const)
    const warp = this.#answers.get(name) as Warp<KeyMap>
    return { name, life: this.#lives.get(name) ?? 1, disk: 1, warp, values: new Map(await Promise.all(shown)) }
  }

  #tell(call: CallRecord): void {
    const peek = (key: string): unknown => this.#shown.get(call.machine)?.get(key)
    this.tell({ kind: 'call', call, peek, knows: ({ sequence }) => (this.#known.get(call.machine) ?? 0) >= sequence })
  }
}
