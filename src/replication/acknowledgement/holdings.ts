/**
 * How far this replica holds the operations of a replica, itself included, at each level. In
 * memory: what has been applied. Logged and durable: what had been applied when its log last
 * settled at that level; the log is asked only for what somebody waits for.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { AckLevel } from '../../store/write-road/acknowledgement.ts'
import type { ReplicationStore } from '../store.ts'

type StoredLevel = Exclude<AckLevel, 'memory'>

/** What is known and wanted of one level of the log. */
class Level {
  readonly held = new Map<ReplicaId, number>()
  readonly wanted = new Map<ReplicaId, number>()
  isSettling = false
}

export class Holdings {
  readonly #store: ReplicationStore
  readonly #levels: Readonly<Record<StoredLevel, Level>> = { logged: new Level(), durable: new Level() }
  readonly #listeners: (() => void)[] = []

  constructor(store: ReplicationStore) {
    this.#store = store
  }

  /** `listener` is called when more is held at a level of the log. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /**
   * The last operation of `replica` up to which all are held here at `level`; 0 if none is, or the
   * log has no such level.
   */
  held(replica: ReplicaId, level: AckLevel): number {
    const applied = this.#applied(replica)
    if (level === 'memory') return applied
    if (!this.#store.persistent) return 0
    // A state that has been taken over may lack what was here before.
    return Math.min(applied, this.#levels[level].held.get(replica) ?? 0)
  }

  /** Somebody waits until operations of `replica` through `through` are held at `level`. */
  want(replica: ReplicaId, level: AckLevel, through: number): void {
    if (level === 'memory' || !this.#store.persistent) return
    const { wanted } = this.#levels[level]
    wanted.set(replica, Math.max(through, wanted.get(replica) ?? 0))
    this.#settle(level)
  }

  /** Operations have been applied. */
  progressed(): void {
    this.#settle('logged')
    this.#settle('durable')
  }

  #settle(name: StoredLevel): void {
    const level = this.#levels[name]
    if (level.wanted.size === 0 || level.isSettling) return
    const applied = this.#appliedOf(level)
    if (applied.length === 0) return
    level.isSettling = true
    this.#store.settled(name).then(
      () => {
        level.isSettling = false
        for (const [replica, sequence] of applied) raise(level, replica, sequence)
        for (const listener of this.#listeners) listener()
        this.#settle(name)
      },
      () => {
        // The log is poisoned or closed: nothing more will be held there.
        level.isSettling = false
        level.wanted.clear()
      },
    )
  }

  /** Also of an id that nobody names any more: who wrote under it may still wait. */
  #applied(replica: ReplicaId): number {
    const { applied, ended } = this.#store
    return applied.get(replica) || (this.#store.orderedThrough?.(replica) ?? 0) || ended.prunedEnd(replica)
  }

  /**
   * Of the replicas that are waited for: how far each has been applied, if that is more than is
   * held.
   */
  #appliedOf(level: Level): (readonly [ReplicaId, number])[] {
    const more: (readonly [ReplicaId, number])[] = []
    for (const replica of level.wanted.keys()) {
      const applied = this.#applied(replica)
      if (applied > (level.held.get(replica) ?? 0)) more.push([replica, applied])
    }
    return more
  }
}

function raise(level: Level, replica: ReplicaId, sequence: number): void {
  level.held.set(replica, sequence)
  if ((level.wanted.get(replica) ?? 0) <= sequence) level.wanted.delete(replica)
}
