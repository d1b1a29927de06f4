/**
 * One key as a guest holds it: the state that its gateway has sent, and on top the guest's own writes
 * that this state does not hold yet. Only keys with such writes pay for them: their value is a fold over
 * a copy of the state. Writes leave when a state comes that holds them, or when they are refused.
 *
 * A removal on top takes away all that it finds, also what it had not seen: what others have written
 * meanwhile shows again once the gateway has judged it.
 */
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import { decode } from '../../../crdt/encoding/encoding.ts'
import { copyLoose, shared } from '../../../crdt/encoding/shared-value.ts'
import type { Applied } from '../../../crdt/strategy.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { hlcToMs, type Hlc } from '../../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import { VECTOR_ENTRIES_MAX } from '../../limits.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'
import type { KeyState, PushedOperation } from '../frames.ts'

/** A write of the guest that the state does not hold yet. */
export interface OwnWrite {
  readonly sequence: number
  readonly held: HeldKey
  readonly kind: number
  readonly payload: Encodable | undefined
  readonly hlc: Hlc
  readonly lifeMs: number
  readonly bytes: number
  /** What it had seen of the key. */
  readonly context: VersionVector
  /** Own writes beyond that, by their names. */
  dots: VectorEntries
  /** The first own write of the key that it had seen and that had no name when it was written; 0: none. */
  readonly ownFrom: number
  /** What the guest had everything of, when it wrote. */
  readonly seen: VectorEntries
  isAnswered: boolean
}

interface Folded {
  readonly state: unknown
  readonly isPresent: boolean
  readonly expiresAt: number
}

const NEVER = Infinity

export class HeldKey {
  readonly key: string
  readonly keyspace: Keyspace
  readonly #guest: ReplicaId
  /** In their order, those that the state does not hold. */
  readonly own: OwnWrite[] = []
  /** What names own writes have got, as long as later ones may speak of them. */
  readonly #names = new Map<number, Dot>()
  #state: Uint8Array | undefined
  #vector: VectorEntries = []
  #included = 0
  #expiresAt = NEVER
  /** The state that is shown; `undefined`: it has to be folded. */
  #folded: Folded | undefined
  #value: unknown
  #isRead = false
  /** The gateway may not know what this state rests on: it goes unless it is sent again. */
  isStale = false

  constructor(guest: ReplicaId, key: string, keyspace: Keyspace) {
    this.#guest = guest
    this.key = key
    this.keyspace = keyspace
  }

  /** Whether it need not be held: there is nothing that anybody could see. */
  get isNothing(): boolean {
    return this.#state === undefined && this.own.length === 0
  }

  /** The state of the gateway takes the place of the one before. Returns whether that changes what is shown. */
  take({ state, vector, included, expiresAt }: Omit<KeyState, 'key' | 'strategy'>): boolean {
    const isSame = this.own.length === 0 && equalBytes(this.#state, state) && this.#expiresAt === (expiresAt || NEVER)
    this.#state = state
    this.#vector = vector
    this.#included = included
    this.#expiresAt = expiresAt === 0 ? NEVER : expiresAt
    this.isStale = false
    while (this.own.length > 0 && (this.own[0] as OwnWrite).sequence <= included) this.own.shift()
    if (this.own.length === 0) this.#names.clear()
    if (!isSame) this.#changed()
    return !isSame
  }

  /** There is no such state any more. */
  forget(): void {
    this.take({ state: undefined, vector: [], included: 0, expiresAt: 0 })
  }

  /** What a write of now has seen. */
  seen(): Pick<OwnWrite, 'context' | 'dots' | 'ownFrom'> {
    const context = VersionVector.from(this.#vector)
    const before = this.own.at(-1)
    if (before === undefined) return { context, dots: [], ownFrom: 0 }
    // All that its own last write had seen, it has seen as well.
    context.join(before.context)
    const dots: (readonly [ReplicaId, number])[] = [...before.dots]
    const name = this.#names.get(before.sequence)
    if (name !== undefined && !context.includes(name.replica, name.sequence)) dots.push([name.replica, name.sequence])
    const firstUnnamed = this.own.find(({ isAnswered }) => !isAnswered)
    return { context, dots, ownFrom: firstUnnamed?.sequence ?? 0 }
  }

  add(write: OwnWrite): void {
    this.own.push(write)
    this.#changed()
  }

  /** The write is refused: it is gone. */
  drop(write: OwnWrite): void {
    const at = this.own.indexOf(write)
    if (at < 0) return
    this.own.splice(at, 1)
    this.#changed()
  }

  /** The write has a name: later writes of the key had seen it under that. */
  named(write: OwnWrite, dot: Dot, isPrefix: boolean): void {
    write.isAnswered = true
    this.#names.set(write.sequence, dot)
    for (const later of this.own) {
      if (later.sequence <= write.sequence) continue
      if (isPrefix) later.context.raise(dot.replica, dot.sequence)
      else if (later.dots.length < VECTOR_ENTRIES_MAX) later.dots = [...later.dots, [dot.replica, dot.sequence]]
    }
    // A state that holds it may have come before the answer.
    if (!this.own.includes(write) && this.own.length === 0) this.#names.clear()
  }

  /** As it is sent. */
  pushed(write: OwnWrite): PushedOperation {
    const { sequence, kind, context, dots, ownFrom, lifeMs } = write
    const beyond = dots.filter(([replica, at]) => !context.includes(replica, at))
    const strategy = kind === OPERATION_KIND.update ? this.keyspace.code : 0
    const payload = this.#renamed(write, () => true)
    return {
      sequence,
      key: this.key,
      kind,
      strategy,
      payload,
      context: context.sorted(),
      dots: beyond,
      ownFrom,
      lifeMs,
    }
  }

  /** The value that readers see, at this moment of the gateway's clock. */
  value(nowMs: number): unknown {
    const { state, isPresent, expiresAt } = this.#fold()
    if (!isPresent || expiresAt <= nowMs) return undefined
    if (!this.#isRead) {
      this.#value = shared(this.keyspace.strategy.read(state))
      this.#isRead = true
    }
    return copyLoose(this.#value)
  }

  /** The state that a verb looks at. Not to be changed, but by a verb that does (`appliesOnPrepare`). */
  state(nowMs: number): unknown {
    const { state, expiresAt } = this.#fold()
    return expiresAt <= nowMs ? this.keyspace.strategy.initial() : state
  }

  /** What is shown, to be compared. */
  shown(nowMs: number): Encodable | undefined {
    const { state, isPresent, expiresAt } = this.#fold()
    return isPresent && expiresAt > nowMs ? this.keyspace.strategy.encodeState(state) : undefined
  }

  #changed(): void {
    this.#folded = undefined
    this.#value = undefined
    this.#isRead = false
  }

  /** A state that a verb has changed on its way is folded anew. */
  spoilt(): void {
    this.#changed()
  }

  #fold(): Folded {
    return (this.#folded ??= this.own.reduce<Folded>((folded, write) => this.#applied(folded, write), this.#base()))
  }

  #base(): Folded {
    const { strategy } = this.keyspace
    const isPresent = this.#state !== undefined
    // Decoded anew for each fold: own writes change what they are applied to.
    const state: unknown = this.#state === undefined ? strategy.initial() : strategy.decodeState(decode(this.#state))
    return { state, isPresent, expiresAt: this.#expiresAt }
  }

  #applied(before: Folded, write: OwnWrite): Folded {
    const { strategy, lifeMs } = this.keyspace
    const nowMs = hlcToMs(write.hlc)
    const livesMs = write.lifeMs || lifeMs
    const expiresAt = livesMs === 0 ? NEVER : nowMs + livesMs
    const initial = (): unknown => strategy.initial()
    if (write.kind === OPERATION_KIND.delete) return { state: initial(), isPresent: false, expiresAt: NEVER }
    const isOver = before.expiresAt <= nowMs
    const from: unknown = isOver || strategy.fold === 'last' ? initial() : before.state
    const payload = this.#renamed(write, (sequence) => sequence <= this.#included) as Encodable
    try {
      const state: unknown = strategy.apply(from, this.#view(write, payload))
      const isPresent = strategy.cancels === undefined || strategy.fold === 'last' || !strategy.isEmpty(state)
      return { state, isPresent, expiresAt }
    } catch (error) {
      // It will be skipped everywhere.
      if (isWarpError(error)) return before
      throw error
    }
  }

  #view({ sequence, hlc, context, dots }: OwnWrite, payload: Encodable): Applied<Encodable> {
    const observed = (replica: ReplicaId, at: number): boolean => {
      if (replica === this.#guest) return at < sequence
      return context.includes(replica, at) || dots.some(([by, dot]) => by === replica && dot === at)
    }
    return { payload, hlc, replica: this.#guest, sequence, observed }
  }

  /** The payload with the names that own writes have got, those for which `isNamed`. */
  #renamed({ payload }: OwnWrite, isNamed: (sequence: number) => boolean): Encodable | undefined {
    const { strategy } = this.keyspace
    if (payload === undefined || strategy.rebase === undefined || this.#names.size === 0) return payload
    return strategy.rebase(payload, (replica: ReplicaId, sequence: number) => {
      const name = replica === this.#guest && isNamed(sequence) ? this.#names.get(sequence) : undefined
      return name === undefined ? [replica, sequence] : [name.replica, name.sequence]
    }) as Encodable
  }
}

export function equalBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
