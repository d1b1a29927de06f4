/**
 * A few engines that are fed each other's operations by hand, through the border, next to the plainest model of what each of them then
 * holds: a list of operations in the order of their arrival. `foldFrom` over that list is what the engine must show.
 *
 * The engines live as long as the fleet; each history has a key of its own. Beside them writes a stranger: a replica of another version, or
 * a hostile one, whose operations need not make sense.
 */
import type { AnyStrategy } from '../crdt/strategy.ts'
import type { Encodable } from '../crdt/encoding/encodable.ts'
import { ByteWriter } from '../crdt/encoding/byte-writer.ts'
import { decode, encode, encodeInto } from '../crdt/encoding/encoding.ts'
import { HLC_LOGICAL_STEPS } from '../crdt/time/hlc.ts'
import { parseReplicaId, type ReplicaId } from '../crdt/time/replica-id.ts'
import { VersionVector } from '../crdt/time/version-vector.ts'
import { Engine } from '../src/engine.ts'
import type { Slot } from '../src/keys/key-table.ts'
import { Keyspaces, type Keyspace } from '../src/keys/keyspace.ts'
import { memoryFiles } from '../src/log/files/memory-files.ts'
import { OperationReader } from '../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../src/operation/replica-table.ts'
import { OPERATION_KIND } from '../src/operation/envelope/kinds.ts'
import { writeEnvelopeHeader } from '../src/operation/envelope/envelope-writer.ts'
import { History } from '../src/history/history.ts'
import type { WarpEvent } from '../src/api/public.ts'
import { NO_OPTIONS, Writer } from '../src/store/write-road/writer.ts'
import type { KeyOptions } from '../src/keys/typed-keys.ts'
import { virtualEnv, type VirtualEnv } from '../testing/world/virtual-env.ts'
import { foldFrom } from '../testing/laws/definition.ts'
import { inCanonicalOrder, type LawOperation } from '../testing/laws/law-operation.ts'

/** An operation as the fleet knows it. */
export interface Sent extends LawOperation {
  readonly envelope: Uint8Array
  /** How long what it writes lives, by its own word; 0 if it does not say. */
  readonly lifeMs: number
  /** What its writer held when it wrote it, of this history. */
  readonly causes: ReadonlySet<Sent>
  /** What it says that it has seen of this history. */
  readonly seen: ReadonlySet<Sent>
  /** Whether there is anything in it to fold; otherwise it is skipped. */
  readonly isSound: boolean
}

const STRANGER = parseReplicaId('fffffffe'.padEnd(16, 'f'))
const HISTORY_MS = 1000

export class Member {
  readonly engine: Engine
  readonly env: VirtualEnv
  readonly history: History
  readonly events: WarpEvent[]
  /** What it holds of the present key, in the order of arrival. */
  held: Sent[] = []
  readonly #writer: Writer
  readonly #reader: OperationReader
  #key = ''

  constructor(engine: Engine, env: VirtualEnv, events: WarpEvent[]) {
    this.engine = engine
    this.env = env
    this.events = events
    this.history = new History(engine.store)
    this.#writer = new Writer(engine.store, undefined)
    this.#reader = new OperationReader(engine.table)
  }

  begin(key: string): void {
    this.#key = key
    this.held = []
  }

  get key(): string {
    return this.#key
  }

  get slot(): Slot | undefined {
    return this.engine.store.keys.find(this.#key)
  }

  get keyspace(): Keyspace {
    return this.engine.store.keyspaceOf(this.#key)
  }

  get value(): unknown {
    return this.slot === undefined ? undefined : this.engine.store.values.read(this.slot)
  }

  /** Runs a verb, or deletes if there is none. Refusals are swallowed: then there is no operation. */
  write(verb: string | undefined, parameters: readonly unknown[], lifeMs = 0): Sent | undefined {
    const { store } = this.engine
    const { key, slot, keyspace } = this
    const end = store.log.end
    const target = { key, slot, keyspace }
    const written =
      verb === undefined
        ? this.#writer.delete(target, NO_OPTIONS)
        : this.#writer.verb(
            target,
            keyspace.strategy.verbs[verb],
            parameters,
            lifeMs > 0 ? { ttlMs: lifeMs } : NO_OPTIONS,
          )
    return this.#written(written, end)
  }

  /** Touches the key, if that is worth an operation. */
  touch(): Sent | undefined {
    const { key, slot, keyspace } = this
    const { end } = this.engine.store.log
    return this.#written(this.#writer.touch({ key, slot, keyspace }, NO_OPTIONS), end)
  }

  #written(written: Promise<unknown>, end: number): Sent | undefined {
    const { store } = this.engine
    written.catch(() => undefined)
    let sent: Sent | undefined
    store.log.scan(end, (record) => {
      sent = this.#sent(record.bytes.slice(record.start, record.end))
      return true
    })
    if (sent !== undefined) this.held.push(sent)
    return sent
  }

  /** Offers an operation at the border and says what the verdict must be. */
  take(sent: Sent): { verdict: string; expected: string } {
    const known = this.held.includes(sent)
    const isReady = [...sent.causes].every((cause) => this.held.includes(cause))
    const expected = known ? 'duplicate' : isReady ? 'applied' : 'early'
    const verdict = this.engine.admit(sent.envelope, 0, sent.envelope.length)
    if (verdict === 'applied') this.held.push(sent)
    return { verdict, expected }
  }

  /** Folds the key, keeps its state in the log, and forgets what is in memory. */
  keep(): void {
    const { slot } = this
    if (slot === undefined) return
    try {
      void this.value
    } catch {
      return // it is blocked
    }
    this.engine.store.values.kept.keep(slot)
    this.drop()
  }

  /** Forgets what is in memory. */
  drop(): void {
    if (this.slot !== undefined) this.engine.store.values.drop(this.slot)
  }

  #sent(envelope: Uint8Array): Sent {
    const reader = this.#reader.load(envelope, 0, envelope.length)
    return {
      hlc: reader.hlc,
      replica: reader.replica,
      sequence: reader.sequence,
      context: contextOf(this.held, reader.replica),
      isDelete: reader.kind === 2,
      payload: reader.kind === OPERATION_KIND.update ? decode(envelope, reader.payloadStart, reader.end) : null,
      envelope,
      lifeMs: reader.lifeMs,
      causes: new Set(this.held),
      seen: new Set(this.held),
      isSound: reader.kind !== OPERATION_KIND.touch,
    }
  }
}

/** What a replica that holds these has seen, as the model counts it. */
function contextOf(held: readonly Sent[], writer: ReplicaId): VersionVector {
  const context = new VersionVector()
  for (const { replica, sequence } of held) if (replica !== writer) context.raise(replica, sequence)
  return context
}

/** A context that says just `seen` of all that is held: vectors up to the first gap, dots beyond. Exact if the stranger's own have one. */
function seenOf(held: readonly Sent[], seen: readonly Sent[]): Pick<Required<Sent>, 'context' | 'dots' | 'isExact'> {
  const isSeen = (sent: Sent): boolean => seen.includes(sent)
  const isExact = held.some((sent) => sent.replica === STRANGER && !isSeen(sent))
  const context = new VersionVector()
  const dots: (readonly [ReplicaId, number])[] = []
  const gaps = new Set<ReplicaId>()
  for (const sent of held) {
    if (sent.replica === STRANGER && !isExact) continue
    if (!isSeen(sent)) gaps.add(sent.replica)
    else if (gaps.has(sent.replica)) dots.push([sent.replica, sent.sequence])
    else context.raise(sent.replica, sent.sequence)
  }
  return { context, dots, isExact }
}

export class Fleet {
  readonly strategy: AnyStrategy
  readonly members: readonly Member[]
  readonly #lifeMs: number
  readonly #table = new ReplicaTable()
  #histories = 0
  #strangerSequence = 0
  #strangerHlc = 0
  #nowMs = 0

  static async open(make: () => AnyStrategy, options: Omit<KeyOptions, 'strategy'> = {}): Promise<Fleet> {
    const env = virtualEnv()
    const open = async (label: string): Promise<Member> => {
      const own = env.fork({ label })
      const events: WarpEvent[] = []
      const engine = await Engine.open({
        files: memoryFiles(),
        env: own,
        keyspaces: new Keyspaces({ '*': { strategy: make(), ...options } as KeyOptions }),
        cache: { entriesMax: 2, bytesMax: Number.POSITIVE_INFINITY },
        clockDriftMsMax: Number.POSITIVE_INFINITY,
        isReplicated: true,
        observe: (event) => events.push(event),
      })
      return new Member(engine, own, events)
    }
    return new Fleet(make(), await Promise.all(['a', 'b', 'c'].map(open)), {
      nowMs: env.now(),
      lifeMs: options.ttlMs ?? 0,
    })
  }

  private constructor(
    strategy: AnyStrategy,
    members: readonly Member[],
    { nowMs, lifeMs }: { nowMs: number; lifeMs: number },
  ) {
    this.strategy = strategy
    this.members = members
    this.#nowMs = nowMs
    this.#lifeMs = lifeMs
  }

  /** Starts a history on a new key, later than all before it. */
  begin(): void {
    this.#histories++
    this.#nowMs += HISTORY_MS
    for (const member of this.members) member.begin(`key ${this.#histories}`)
  }

  /** Sets a member's clock to so many milliseconds after the start of the history. */
  at(member: Member, ms: number): void {
    member.env.setWall(this.#nowMs + ms)
  }

  /** An operation by the stranger, who holds just what `like` holds, and writes for somebody who has seen `seen` of it. */
  strange(
    like: Member,
    ms: number,
    body: { kind: number; strategy: number; payload: Uint8Array; isSound: boolean },
    seen: readonly Sent[] = like.held,
  ): Sent {
    const writer = new ByteWriter(256)
    this.#strangerHlc = Math.max(
      this.#strangerHlc + 1,
      (this.#nowMs + ms) * HLC_LOGICAL_STEPS,
      like.engine.store.clock.last + 1,
    )
    const sequence = ++this.#strangerSequence
    const { context, dots, isExact } = seenOf(like.held, seen)
    const applied = [...like.engine.applied.entries()].filter(([replica]) => replica !== STRANGER)
    const header = {
      kind: body.kind,
      strategy: body.strategy,
      replicaBytes: this.#table.bytes(STRANGER),
      sequence,
      hlc: this.#strangerHlc,
      key: like.key,
      context: [...context.entries()],
      dots,
      isExact,
      dependencies: applied,
    }
    writeEnvelopeHeader(writer, header, this.#table)
    writer.raw(body.payload)
    return {
      hlc: this.#strangerHlc,
      replica: STRANGER,
      sequence,
      context,
      dots,
      isExact,
      isDelete: body.kind === 2,
      payload: body.isSound && body.kind === 1 ? decode(body.payload) : null,
      envelope: writer.take(),
      lifeMs: 0,
      causes: new Set(like.held),
      seen: new Set(seen),
      isSound: body.isSound,
    }
  }

  /** What a key with these operations must look like at a moment, whatever order they came in. */
  expected(held: readonly Sent[], nowMs: number): Digest {
    let appliedCount = 0
    const { strategy } = this
    const counting: AnyStrategy = {
      ...strategy,
      apply: (state: unknown, operation) => {
        try {
          const after: unknown = strategy.apply(state, operation)
          appliedCount++
          return after
        } catch {
          return state
        }
      },
    }
    const sound = this.#lastLife(held).filter(({ isSound }) => isSound)
    const state = foldFrom(counting, counting.initial(), sound)
    const isVisible = appliedCount > 0 && !this.#isOver(inCanonicalOrder(held).at(-1) as Sent | undefined, nowMs)
    return digest(strategy, state, isVisible ? strategy.read(state) : undefined)
  }

  /** The operations since the last gap as long as a life. */
  #lastLife(held: readonly Sent[]): readonly Sent[] {
    const ordered = inCanonicalOrder(held) as Sent[]
    const birth = ordered.findLastIndex((sent, i) => this.#isOver(ordered[i - 1], msOf(sent)))
    return ordered.slice(Math.max(0, birth))
  }

  #isOver(last: Sent | undefined, ms: number): boolean {
    if (last === undefined) return false
    const lifeMs = last.lifeMs > 0 ? last.lifeMs : this.#lifeMs
    return lifeMs > 0 && msOf(last) + lifeMs <= ms
  }

  actual(member: Member): Digest {
    const { slot } = member
    if (slot === undefined) return digest(this.strategy, this.strategy.initial(), undefined)
    // The wheel that lets values expire does not turn here. The value first: it must not depend on the state's having been asked for.
    if (this.#lifeMs > 0 || member.held.some(({ lifeMs }) => lifeMs > 0))
      member.engine.store.values.residency.outdate(slot)
    const { value } = member
    return digest(this.strategy, member.engine.store.values.resident(slot).state, value)
  }

  async close(): Promise<void> {
    for (const { engine } of this.members) await engine.close()
  }
}

export function msOf({ hlc }: { readonly hlc: number }): number {
  return Math.floor(hlc / HLC_LOGICAL_STEPS)
}

/** State and value by their canonical bytes. */
export interface Digest {
  readonly state: string
  readonly value: string
}

function digest(strategy: AnyStrategy, state: unknown, value: unknown): Digest {
  return { state: text(encode(strategy.encodeState(state))), value: valueText(value) }
}

export function valueText(value: unknown): string {
  return value === undefined ? 'undefined' : text(encode(plain(value)))
}

/** With lists in the place of sets. */
function plain(value: unknown): Encodable {
  if (value instanceof Set) return [...(value as Set<Encodable>)]
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value as Encodable
  return Object.entries(value).map(([name, entry]) => [name, plain(entry)])
}

function text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
}

export function payloadBytes(payload: Encodable): Uint8Array {
  const writer = new ByteWriter(64)
  encodeInto(writer, payload)
  return writer.take()
}
