/**
 * Keys that every replica writes and whose writes merge. A transaction reads them as they were here
 * when it named its first key. That is one moment of this replica, so it is closed under causes, and
 * holds no part of another transaction. It never fails for what others write meanwhile: what has
 * changed since is folded again from the operations that were there (a snapshot as in
 * Akkoorath et al. 2016, "Cure", whose versions are the log's).
 */
import { shared } from '../../../crdt/encoding/shared-value.ts'
import { hlcToMs } from '../../../crdt/time/hlc.ts'
import { TOO_LONG } from '../../cache/values.ts'
import type { Slot } from '../../keys/key-table.ts'
import { bytesBetween, FOLLOWER_BYTES_MAX, FOLLOWER_MS_MAX } from '../../log/holds.ts'
import type { Resident } from '../../merge/resident.ts'
import type { Meter } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { readAtOnce, readSteadily, type Steady } from '../../store/read-steadily.ts'
import type { Writer } from '../../store/write-road/writer.ts'
import {
  MomentGone,
  NOTHING,
  writtenHere,
  type CommitOptions,
  type Committed,
  type Ground,
  type Looked,
  type Seen,
} from './ground.ts'
import type { Written } from './writes.ts'

export class EventualGround implements Ground {
  readonly mode = 'eventual'
  readonly name: string = this.mode
  readonly unsettled = undefined
  /** What was seen stays what it was. */
  readonly writesCount = 0
  readonly #store: KeyStore
  readonly #writer: Writer
  /** Operations from here on came later. */
  readonly #end: Position
  readonly #nowMs: number
  readonly #begunMs: number
  readonly #generation: number
  readonly #looked = new Map<string, Looked>()
  readonly #letGo: () => void

  constructor(store: KeyStore, writer: Writer) {
    this.#store = store
    this.#writer = writer
    this.#end = store.log.end
    this.#nowMs = store.env.now()
    this.#begunMs = store.env.monotonic()
    this.#generation = store.keys.generation
    this.#letGo = store.holds.follow({ name: 'a transaction', unseenFrom: this.#end, follows: () => true })
  }

  admit(): void {
    // Every replica has all keys of this mode.
  }

  passed(): Promise<void> {
    return Promise.resolve()
  }

  end(): void {
    this.#letGo()
  }

  look(key: string): Looked | typeof TOO_LONG | Promise<Looked> {
    const known = this.#looked.get(key)
    if (known !== undefined) return known
    const store = this.#store
    const slot = store.keys.find(key)
    // It may have been there, and be gone for good.
    if (slot === undefined) return this.#isKept ? this.#note(key, undefined, 0) : Promise.reject(new MomentGone())
    if (this.#hasChanged(slot)) return this.#lookBack(key, slot)
    const value = readAtOnce(store, slot)
    return value === TOO_LONG ? TOO_LONG : this.#note(key, value, store.keys.version[slot]!)
  }

  markOf(): number {
    return NOTHING.mark
  }

  formerState(key: string): Promise<unknown> | undefined {
    const slot = this.#store.keys.find(key)
    if (slot === undefined || !this.#hasChanged(slot)) return undefined
    const { strategy } = this.#store.keyspaceFor(key, slot)
    return this.#residentThen(slot).then((resident): unknown => resident?.state ?? strategy.initial())
  }

  commit(_seen: Seen, writes: readonly Written[], options: CommitOptions): Promise<Committed> {
    return writtenHere({ store: this.#store, writer: this.#writer, changed: () => undefined }, writes, options)
  }

  #note(key: string, value: unknown, version: number): Looked {
    const looked = value === undefined ? NOTHING : { value, version, mark: NOTHING.mark }
    this.#looked.set(key, looked)
    return looked
  }

  /** Whether nothing has been taken away of what has been written since, as long as compaction waits. */
  get #isKept(): boolean {
    const { keys, env, log } = this.#store
    return (
      keys.generation === this.#generation &&
      env.monotonic() - this.#begunMs <= FOLLOWER_MS_MAX &&
      bytesBetween(this.#end, log) <= FOLLOWER_BYTES_MAX
    )
  }

  #hasChanged(slot: Slot): boolean {
    return this.#store.keys.head[slot]! >= this.#end
  }

  async #lookBack(key: string, slot: Slot): Promise<Looked> {
    const resident = await this.#residentThen(slot)
    const { strategy } = this.#store.keyspaceFor(key, slot)
    const value: unknown = resident === undefined ? undefined : shared(strategy.read(resident.state))
    return this.#note(key, value, 1)
  }

  /** What the key was; `undefined` if it had no value. */
  async #residentThen(slot: Slot): Promise<Resident | undefined> {
    const store = this.#store
    const check = (): void => {
      store.assertOpen()
      if (!this.#isKept) throw new MomentGone()
    }
    check()
    const reading = { slot, name: 'a transaction', check }
    const resident = await readSteadily(store, reading, (steady, meter) => this.#foldSteps(slot, steady, meter))
    if (resident?.present !== true) return undefined
    const lifeMs = resident.lifeMs || store.keyspaceFor('', slot).lifeMs
    const isOver = lifeMs > 0 && resident.hasTip && hlcToMs(resident.hlc) + lifeMs <= this.#nowMs
    return isOver ? undefined : resident
  }

  *#foldSteps(slot: Slot, { chain }: Steady, meter: Meter): Generator<void, Resident> {
    const { folder } = this.#store
    const strategy = this.#store.strategyAt(slot)
    const all = yield* folder.chains.operationsSteps(chain, meter)
    const operations = all.filter(({ position }) => position < this.#end)
    const resident = yield* folder.whole.foldSteps({ strategy, chain, operations }, meter)
    if (resident.present && strategy.readSteps !== undefined) yield* strategy.readSteps(resident.state)
    return resident
  }
}
