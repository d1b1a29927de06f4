/** What the engine tells its observer. Never carries values. */
import type { Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { ClockEvent } from '../operation/clock.ts'

/** What a compaction achieved. */
export interface Compaction {
  readonly droppedOperationsCount: number
  readonly freedBytes: number
}

/** Something that could not be carried over into the state of another replica. */
export interface LostAtRejoin {
  readonly key: string
  /**
   * - `'folded'`: `names` had been folded into the value of the key here, and the state that was taken
   *   over has never seen them: look at the key. Of each replica its last operation is named.
   * - `'delete'`: a delete, or the removal of a part of the value, had not seen all that the key holds
   *   now. Delete once more what is to go.
   * - `'forgotten'`: so many operations have been issued again since that nobody knows any more whether
   *   this is one of them. If it is missing, write it once more.
   */
  readonly reason: 'folded' | 'delete' | 'forgotten'
  /** The operations, by their first names. */
  readonly names: readonly Dot[]
}

/** A lease has ended, which is final. */
export interface LeaseEnd {
  readonly lease: string
  /** The replica that had granted it. */
  readonly owner: ReplicaId
  /**
   * - `'revoked'`: somebody said so.
   * - `'expired'`: it was not renewed in time.
   * - `'missed'`: it ended while this replica was away, and nobody says any more why.
   */
  readonly reason: 'revoked' | 'expired' | 'missed'
  /** The keys and patterns that fell with it. */
  readonly targets: readonly string[]
}

/**
 * - `'copy-differs'`: the copy is not what the row says, which holds nothing that is unknown here.
 *   Somebody has written the row and said nothing.
 * - `'row-ahead'`: the same, and the row holds operations that have not arrived here.
 * - `'row-lacks'`: the row lacks operations that it has held. Somebody has put an old one back.
 * - `'row-unreadable'`: nobody can read what is in the row.
 */
export type DriftKind = 'copy-differs' | 'row-ahead' | 'row-lacks' | 'row-unreadable'

/** A key whose copy and row differ, with nothing under way that would explain it. */
export interface Drift {
  readonly key: string
  readonly kind: DriftKind
  /** The name of the store. */
  readonly store: string
  /**
   * What has been done about it: `'voided'`: the copy is gone, the next read loads; `'flushing'`: so it
   * is, and what the row lacks goes there again; `'none'`.
   */
  readonly healed: 'none' | 'voided' | 'flushing'
}

export type EngineEvent =
  | ClockEvent
  /**
   * A load has failed or took too long. Its callers got a stale copy where there was one that may be
   * served, and this error otherwise. `isBackground`: nobody waited for it when it began.
   */
  | { readonly kind: 'load:failed'; readonly key: string; readonly error: Error; readonly isBackground: boolean }
  /** Told once on each replica that has known the lease alive. */
  | ({ readonly kind: 'lease:ended' } & LeaseEnd)
  /**
   * The primary store will never take what was written to this key (`error` says why). The
   * operations stay in the log and are read on top of the row; they go to the store with the next
   * write of the key that it takes.
   */
  | {
      readonly kind: 'primary:rejected'
      readonly store: string
      readonly key: string
      readonly dots: readonly Dot[]
      readonly error: Error
    }
  /**
   * The store has refused a write behind several times in a row, because the row was another one each
   * time: others write it all the time, or something rewrites what it is given, a trigger say. It is tried
   * again, more and more rarely.
   */
  | {
      readonly kind: 'primary:contended'
      readonly store: string
      readonly key: string
      readonly refusalsCount: number
    }
  /**
   * A primary store has failed several times in a row: it is left alone, and asked for one row every
   * few seconds until it answers (`primary:recovered`). Copies are served meanwhile, writes behind
   * wait.
   */
  | { readonly kind: 'primary:failing'; readonly store: string; readonly error: Error }
  | { readonly kind: 'primary:recovered'; readonly store: string }
  /**
   * The engine has been closed with writes that are not known to be in their store. With a log that
   * outlives the process they go there after the next opening.
   */
  | { readonly kind: 'primary:left'; readonly store: string; readonly keysCount: number }
  /**
   * What is in memory of a key and its row in the store differ, and nothing is under way that would
   * explain it (`validate`, with `mode: 'alert'` or `'heal'`).
   */
  | ({ readonly kind: 'validator:drift' } & Omit<Drift, 'kind'> & { readonly drift: DriftKind })
  /** A later round of a warm-up has failed; the next one comes all the same. */
  | { readonly kind: 'warm:failed'; readonly pattern: string; readonly error: Error }
  /**
   * A warm-up from other replicas has passed one of them over: its build cannot tell what it holds, or it
   * has not answered.
   */
  | {
      readonly kind: 'warm:skipped'
      readonly pattern: string
      readonly replica: ReplicaId
      readonly reason: 'older-build' | 'silent'
    }
  /**
   * This replica met its own identity elsewhere, or may have lost what it wrote last, and has taken
   * a new one.
   */
  | { readonly kind: 'identity:changed'; readonly from: ReplicaId; readonly to: ReplicaId }
  /**
   * The process died, or the disk was full, while a peer's state was being taken over: what is here
   * is half that state and half what was here before. It is neither handed on nor compacted until
   * one has been taken over as a whole (`resync:done`). Told when it happens and at each opening.
   */
  | { readonly kind: 'resync:interrupted' }
  /**
   * This replica was away for too long and has taken over the state of another one. What it held
   * beyond that has been issued again, but for this.
   */
  | ({ readonly kind: 'rejoin:lost' } & LostAtRejoin)
  /** A strategy threw while folding this operation, which is skipped on every replica alike. */
  | { readonly kind: 'operation:rejected'; readonly key: string; readonly dot: Dot; readonly error: Error }
  /**
   * Somebody has changed a document that was handed out, by its library's own means, or freed it. The
   * change is in no log; the key has been folded again from its operations.
   */
  | { readonly kind: 'value:touched'; readonly key: string }
  /**
   * An operation of a kind or strategy that this version does not know: its key cannot be read
   * here.
   */
  | { readonly kind: 'operation:unknown'; readonly key: string; readonly dot: Dot }
  /**
   * A read was to prolong the life of this key on all replicas (`sliding: 'replicas'`), and that
   * could not be written: the disk is full, say. Told once until it can be again.
   */
  | { readonly kind: 'touch:failed'; readonly key: string; readonly error: Error }
  /**
   * The folder that has been opened holds keys that no pattern matches: they are kept and sent on,
   * and neither listed nor read here. `examples` are up to five of them.
   */
  | { readonly kind: 'keys:unregistered'; readonly keysCount: number; readonly examples: readonly string[] }
  /**
   * The folder that has been opened holds a key of this pattern that was `written` by another
   * strategy than the one that is `registered` now, and cannot be read with it
   * (`WARP_E_UNKNOWN_OP`): probably all `keysCount` keys of the pattern. Register the strategy of
   * before, or the new one under another pattern.
   */
  | {
      readonly kind: 'strategy:changed'
      readonly pattern: string
      readonly keysCount: number
      readonly key: string
      readonly written: string
      readonly registered: string
    }
  /**
   * A peer has written a key by another strategy (`writerStrategy`) than the one that it is registered
   * with here: the two cannot read each other's operations. Told once for each pattern, peer and
   * strategy.
   */
  | {
      readonly kind: 'strategy:differs'
      readonly pattern: string
      readonly key: string
      readonly replica: ReplicaId
      readonly strategy: string
      readonly writer: ReplicaId
      readonly writerStrategy: string
    }
  /**
   * An operator has given replicas up, here or elsewhere (`by`): once they are silent, nobody waits
   * for them.
   */
  | { readonly kind: 'members:evicted'; readonly replicas: readonly ReplicaId[]; readonly by: ReplicaId }
  /**
   * Replicas that have left for good, or ids that are over otherwise, are named no more in this
   * replica's vectors: everybody has all that they wrote.
   */
  | { readonly kind: 'members:pruned'; readonly replicas: readonly ReplicaId[] }
  | ({ readonly kind: 'compacted' } & Compaction)
  /**
   * A projection could not go on from its checkpoint and reads the whole log again: the checkpoint
   * is of another `version`, its `decode` threw (`error`), or compaction has taken away operations
   * that came after it.
   */
  | {
      readonly kind: 'projection:rebuilt'
      readonly name: string
      readonly reason: 'version' | 'undecodable' | 'compacted'
      readonly error?: Error
    }
  /**
   * The state has been replaced otherwise than by operations (that of a peer, or a snapshot of the
   * ordered log, has been taken over), and a projection that is made anew could not read the log. It
   * shows what it was before, and tries again. Told once, until it is made.
   */
  | { readonly kind: 'projection:rebuild-failed'; readonly name: string; readonly error: Error }
  /**
   * A checkpoint of a projection could not be written. The projection works on, and tries again
   * later.
   */
  | { readonly kind: 'projection:checkpoint-failed'; readonly name: string; readonly error: Error }
  /**
   * A key could not be compacted, because its state does not fit a record, say, or its strategy
   * failed. All its operations stay in the log; the other keys are compacted. It is tried again
   * when the key has twice as many operations.
   */
  | { readonly kind: 'compaction:refused'; readonly key: string; readonly error: Error }
  /** The instruments that the engine was opened with threw. They are not called any more. */
  | { readonly kind: 'instruments:failed'; readonly error: Error }
  /** Compaction or a checkpoint could not be finished; nothing is lost, it is tried again later. */
  | { readonly kind: 'maintenance:failed'; readonly error: Error }

export type EngineObserver = (event: EngineEvent) => void
