/**
 * The state of a Redis key: a part for each type that has been written and not been taken away, one
 * nearly always; and what says how long the key lives.
 *
 * Of several parts, which come of concurrent writes of different types, the one with the greatest
 * stamp is shown. The others are hidden, and go with the next write that sees them.
 */
import type { Stamp } from '../time/hlc.ts'
import { compareStamps } from '../time/hlc.ts'
import { VersionVector } from '../time/version-vector.ts'
import { eraseCell, isEmptyCell, stampsIn, type Cell } from './cell.ts'
import type { Elements } from './elements.ts'
import { isPast, type Seen } from './seen.ts'
import type { Registers } from './registers/registers.ts'
import type { SortedSet } from './sorted-set.ts'
import type { Stream } from './streams/stream.ts'
import type { Table } from './table.ts'
import { type Placed } from './table.ts'

/** As TYPE calls them; but a HyperLogLog, `hll`, is a string there. */
export type Kind = 'string' | 'hash' | 'set' | 'zset' | 'list' | 'hll' | 'stream'

export interface Field extends Placed {
  readonly cell: Cell<string>
}

export interface Member extends Placed {
  /** Of the operations that keep it in. */
  stamps: readonly Stamp[]
}

/** How long somebody has said that the key lives, unseen by whoever said so later. */
export interface Life {
  readonly stamp: Pick<Stamp, 'replica' | 'sequence'>
  /** Milliseconds since 1970; `Infinity`: for ever. */
  readonly untilMs: number
}

export interface Parts {
  string: Cell<string> | undefined
  hash: Table<Field> | undefined
  set: Table<Member> | undefined
  zset: SortedSet | undefined
  list: Elements | undefined
  hll: Registers | undefined
  stream: Stream | undefined
}

export const KINDS: readonly Kind[] = ['string', 'hash', 'set', 'zset', 'list', 'hll', 'stream']
export const NO_LIVES: readonly Life[] = Object.freeze([])

export class RedisState implements Parts {
  string: Cell<string> | undefined
  hash: Table<Field> | undefined
  set: Table<Member> | undefined
  zset: SortedSet | undefined
  list: Elements | undefined
  hll: Registers | undefined
  stream: Stream | undefined
  lives: readonly Life[] = NO_LIVES
  /** Of each replica the last operation that may have left something here. */
  tips: VersionVector = new VersionVector()
  #shown: Kind | undefined

  /** Whether nothing is left of any operation. */
  get isInitial(): boolean {
    return this.lives.length === 0 && KINDS.every((kind) => this[kind] === undefined)
  }

  /** The type that is shown; `undefined` if there is no part. */
  get kind(): Kind | undefined {
    return (this.#shown ??= shownKind(this))
  }

  /** When the key ends, in milliseconds since 1970; `Infinity`: never. The longest of concurrent lives counts. */
  get untilMs(): number {
    return this.lives.length === 0 ? Infinity : this.lives.reduce((until, life) => Math.max(until, life.untilMs), 0)
  }

  /** To be called after each change. */
  changed(): void {
    this.#shown = undefined
    for (const kind of KINDS) if (isGone(this, kind)) this[kind] = undefined
  }

  /** Takes away all that the writer had seen, but for additions, which are cut (`runs.ts`). */
  erase(seen: Seen): void {
    if (hasSeenAll(seen, this.tips)) {
      for (const kind of KINDS) this[kind] = undefined
      this.lives = NO_LIVES
      // A tip of one's own rises with what is written next.
      if (this.tips.size > 1 || this.tips.get(seen.stamp.replica) === 0) this.tips = new VersionVector()
      return
    }
    for (const kind of KINDS) this.erasePart(kind, seen)
    this.eraseLives(seen)
  }

  erasePart(kind: Kind, seen: Seen): void {
    if (this[kind] !== undefined) ERASE[kind](this, seen)
  }

  eraseLives(seen: Seen): void {
    if (this.lives.length > 0) this.lives = this.lives.filter(({ stamp }) => !isPast(seen, stamp))
  }
}

const ERASE: Readonly<Record<Kind, (parts: Parts, seen: Seen) => void>> = {
  string({ string }, seen) {
    if (string !== undefined) eraseCell(string, seen)
  },
  hash({ hash }, seen) {
    for (const field of [...(hash?.entries() ?? [])]) {
      eraseCell(field.cell, seen)
      if (isEmptyCell(field.cell)) hash?.remove(field)
    }
  },
  set({ set }, seen) {
    for (const member of [...(set?.entries() ?? [])]) {
      member.stamps = member.stamps.filter((stamp) => !isPast(seen, stamp))
      if (member.stamps.length === 0) set?.remove(member)
    }
  },
  zset({ zset }, seen) {
    for (const { name } of [...(zset?.table.entries() ?? [])]) zset?.change(name, (cell) => eraseCell(cell, seen))
  },
  list({ list }, seen) {
    for (const element of [...(list?.from(0) ?? [])]) if (isPast(seen, element.stamp)) list?.remove(element)
  },
  hll: ({ hll }, seen) => hll?.erase(seen),
  stream: ({ stream }, seen) => stream?.erase(seen),
}

/** Whether the writer had seen the last operation of everybody, and with it those before. */
function hasSeenAll({ stamp, observed }: Seen, tips: VersionVector): boolean {
  return tips.every(
    (replica, sequence) => observed(replica, sequence) || (stamp.sequence === sequence && stamp.replica === replica),
  )
}

function isGone(parts: Parts, kind: Kind): boolean {
  if (kind === 'string') return parts.string !== undefined && isEmptyCell(parts.string)
  if (kind === 'stream') return parts.stream?.isEmpty === true
  return sizeOf(parts, kind) === 0
}

/** How much is in a part. */
export function sizeOf(parts: Parts, kind: Kind): number | undefined {
  if (kind === 'string') return parts.string === undefined ? undefined : 1
  if (kind === 'zset') return parts.zset?.table.size
  return kind === 'stream' ? parts.stream?.entries.size : parts[kind]?.size
}

function shownKind(parts: Parts): Kind | undefined {
  const present = KINDS.filter((kind) => parts[kind] !== undefined && (kind !== 'stream' || parts.stream?.isThere))
  if (present.length <= 1) return present[0]
  const last = present.map((kind) => ({ kind, stamp: greatest(STAMPS[kind](parts)) }))
  return last.reduce((one, other) => (compareStamps(one.stamp, other.stamp) < 0 ? other : one)).kind
}

/** All that keep something in. */
export const STAMPS: Readonly<Record<Kind, (parts: Parts) => Iterable<Stamp>>> = {
  string: ({ string }) => (string === undefined ? [] : stampsIn(string)),
  *hash({ hash }) {
    for (const { cell } of hash?.entries() ?? []) yield* stampsIn(cell)
  },
  *set({ set }) {
    for (const { stamps } of set?.entries() ?? []) yield* stamps
  },
  *zset({ zset }) {
    for (const { cell } of zset?.table.entries() ?? []) yield* stampsIn(cell)
  },
  *list({ list }) {
    for (const { stamp, setStamp } of list?.from(0) ?? []) {
      yield stamp
      yield setStamp
    }
  },
  hll: ({ hll }) => hll?.stamps() ?? [],
  stream: ({ stream }) => stream?.stamps() ?? [],
}

function greatest(stamps: Iterable<Stamp>): Stamp {
  let last: Stamp | undefined
  for (const stamp of stamps) if (last === undefined || compareStamps(last, stamp) < 0) last = stamp
  return last as Stamp // a part is never empty
}
