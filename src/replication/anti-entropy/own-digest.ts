/**
 * What this replica says of itself, in few bytes. Now and then a digest gets a number and is told
 * whole: an *anchor*. Whoever holds that is told what has risen since, which is next to nothing while
 * nothing happens. A new anchor is needed when an entry falls or goes, when other replicas are heard
 * or end, and when so much has risen that the change is no longer short.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'
import type { Digest, DigestChange, DigestVectors } from '../wire/frames.ts'

/** So many entries of a change are few, however short the digest is. */
const RISEN_FEW = 4
/** From this share of the entries of a digest on, a change is no longer short. */
const RISEN_SHARE = 0.75

export class OwnDigest {
  #replica: ReplicaId | undefined
  #anchor: Digest | undefined
  #current: Digest | undefined
  #risen: DigestVectors = nothing()
  #number = 0
  #count = 0
  #version = 0
  #news = 0

  /** Of the anchor; 0: there is none yet. */
  get number(): number {
    return this.#number
  }

  /** How often it has changed since the anchor. */
  get count(): number {
    return this.#count
  }

  /** Goes up with each change and with each anchor. */
  get version(): number {
    return this.#version
  }

  /** The version from which on it tells something that everybody has to be told by a digest. */
  get news(): number {
    return this.#news
  }

  /** Whose it is. */
  get replica(): ReplicaId | undefined {
    return this.#replica
  }

  /** The last operation of this replica itself that it tells of. */
  get written(): number {
    return this.#replica === undefined ? 0 : this.current.applied.get(this.#replica)
  }

  /** The one with the number. */
  get anchor(): Digest {
    return this.#anchor ?? EMPTY
  }

  get current(): Digest {
    return this.#current ?? EMPTY
  }

  /** Whether all that it says to have been applied is announced as stable. */
  get announcesAll(): boolean {
    const { applied, stable } = this.current
    return stable.compare(applied) === 'equal'
  }

  /** Since the anchor. */
  get risen(): DigestVectors {
    return this.#risen
  }

  /**
   * `digest` is what `replica`, this one, has to say now. It is not changed later. What rises of
   * writers for whom `isToldElse` is no news.
   */
  take(replica: ReplicaId, digest: Digest, isToldElse: (writer: ReplicaId) => boolean = () => false): void {
    const before = this.current
    this.#current = digest
    const risen = replica === this.#replica ? risenSince(this.anchor, digest) : undefined
    this.#replica = replica
    if (risen === undefined || isLong(risen, digest)) {
      this.#anchorAnew(digest)
    } else if (!isSame(risen, this.#risen)) {
      this.#risen = risen
      this.#count++
      this.#version++
      if (hasNews(before, digest, isToldElse)) this.#news = this.#version
    }
  }

  /** What is said now becomes the anchor, unless it is. */
  anchorAnew(): void {
    if (this.#count > 0) this.#anchorAnew(this.current)
  }

  #anchorAnew(digest: Digest): void {
    this.#anchor = digest
    this.#risen = nothing()
    this.#number++
    this.#count = 0
    this.#news = ++this.#version
  }
}

const EMPTY: Digest = { reply: false, ...nothing(), heard: [], retired: [] }

function nothing(): DigestVectors {
  return { applied: new VersionVector(), floor: new VersionVector(), stable: new VersionVector() }
}

/** What has to rise in `anchor` to make `digest` of it; `undefined` if that is not all. */
export function risenSince(anchor: Digest, digest: Digest): DigestVectors | undefined {
  const isSameElse =
    anchor.heard.length === digest.heard.length &&
    anchor.heard.every((replica, i) => replica === digest.heard[i]) &&
    areSameEntries(anchor.retired, digest.retired)
  if (!isSameElse) return undefined
  const [applied, floor, stable] = [
    risenIn(anchor.applied, digest.applied),
    risenIn(anchor.floor, digest.floor),
    risenIn(anchor.stable, digest.stable),
  ]
  return applied === undefined || floor === undefined || stable === undefined ? undefined : { applied, floor, stable }
}

/** The digest that `anchor` has become. `anchor` stays as it is. */
export function digestAfter(
  anchor: Digest,
  { risen, reply, announcesAll }: Pick<DigestChange, 'risen' | 'reply' | 'announcesAll'>,
): Digest {
  const [applied, floor, stable] = [anchor.applied.copy(), anchor.floor.copy(), anchor.stable.copy()]
  applied.join(risen.applied)
  floor.join(risen.floor)
  stable.join(announcesAll ? applied : risen.stable)
  return { reply, applied, floor, stable, heard: anchor.heard, retired: anchor.retired }
}

function risenIn(before: VersionVector, now: VersionVector): VersionVector | undefined {
  if (!now.dominates(before)) return undefined
  return VersionVector.from([...now.entries()].filter(([replica, sequence]) => sequence > before.get(replica)))
}

function hasNews(before: Digest, now: Digest, isToldElse: (writer: ReplicaId) => boolean): boolean {
  for (const name of ['applied', 'stable'] as const)
    for (const [writer, sequence] of now[name].entries())
      if (sequence > before[name].get(writer) && !isToldElse(writer)) return true
  return false
}

function areSameEntries(a: VectorEntries, b: VectorEntries): boolean {
  return a.length === b.length && a.every(([replica, end], i) => b[i]?.[0] === replica && b[i][1] === end)
}

function isLong({ applied, floor, stable }: DigestVectors, digest: Digest): boolean {
  const all = digest.applied.size + digest.floor.size + digest.stable.size
  return applied.size + floor.size + stable.size > Math.max(RISEN_FEW, all * RISEN_SHARE)
}

function isSame(a: DigestVectors, b: DigestVectors): boolean {
  return (['applied', 'floor', 'stable'] as const).every((name) => a[name].compare(b[name]) === 'equal')
}
