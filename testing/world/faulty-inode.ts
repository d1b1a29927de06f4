/**
 * One file of the faulty disk: what readers see, what is on the platter, and the writes between the
 * two. See `faulty-files.ts`.
 */
import type { Random } from './random.ts'

export const SECTOR_BYTES = 512

/** A tear in the next write of a sector: one in so many sectors that lost a write. */
const TEAR_ONE_IN = 4

const NO_BYTES = new Uint8Array(0)

interface UnflushedWrite {
  readonly offset: number
  readonly bytes: Uint8Array
  /** The file's size after it. */
  readonly size: number
  /**
   * A flush of it has failed. The system has dropped it from its list, and no later flush will tell
   * that it is missing.
   */
  isForsaken: boolean
}

export interface InodeFlush {
  succeed(): void
  fail(): void
}

export class FaultyInode {
  #cache = new Uint8Array(0)
  #platter = new Uint8Array(0)
  #unflushed: UnflushedWrite[] = []
  size = 0
  #platterSize = 0

  read(offset: number, length: number): Uint8Array {
    return this.#cache.slice(offset, Math.max(offset, Math.min(this.size, offset + length)))
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#put(offset, bytes.slice(), Math.max(this.size, offset + bytes.length))
  }

  /** Zeros up to `size`. Whatever lies beyond the end is zero already. */
  extend(size: number): void {
    if (size > this.size) this.#put(this.size, new Uint8Array(0), size)
  }

  truncate(size: number): void {
    if (size >= this.size) this.extend(size)
    else this.#put(size, new Uint8Array(this.size - size), size)
  }

  /** A flush that begins now, of everything written so far. It ends by one of the two calls. */
  flush(): InodeFlush {
    const size = this.size
    const due = new Set(this.#unflushed.filter((write) => !write.isForsaken))
    return {
      succeed: () => {
        // What a later flush has made durable meanwhile is no longer in the journal and stays as it
        // is.
        const writes = this.#unflushed.filter((write) => due.has(write) || this.#isCarried(write, due))
        for (const { offset, bytes } of writes) this.#platter = placed(this.#platter, offset, bytes)
        if (writes.length > 0) this.#platterSize = size
        const flushed = new Set(writes)
        this.#unflushed = this.#unflushed.filter((write) => !flushed.has(write))
      },
      fail: () => {
        for (const write of due) write.isForsaken = true
      },
    }
  }

  /**
   * A forsaken write goes to the platter with a later one of the same sector: what is written out
   * is the sector.
   */
  #isCarried(write: UnflushedWrite, due: ReadonlySet<UnflushedWrite>): boolean {
    if (!write.isForsaken) return false
    const [first, last] = sectorsOf(write)
    return [...due].some((other) => {
      const [otherFirst, otherLast] = sectorsOf(other)
      return otherFirst <= last && first <= otherLast
    })
  }

  replace(bytes: Uint8Array): void {
    this.#cache = bytes.slice()
    this.#platter = bytes.slice()
    this.#unflushed = []
    this.size = this.#platterSize = bytes.length
  }

  /** The file after a power failure. */
  crashed(random: Random, torn: boolean, count: (what: string) => void): FaultyInode {
    let platter = this.#platter.slice()
    for (const writes of this.#bySector()) {
      const kept = random.below(writes.length + 1)
      count(kept === writes.length ? 'sector kept' : 'sector lost')
      for (const { offset, bytes } of writes.slice(0, kept)) platter = placed(platter, offset, bytes)
      const next = writes[kept]
      if (!torn || next === undefined || !random.chance(1 / TEAR_ONE_IN)) continue
      count('sector torn')
      platter = placed(platter, next.offset, next.bytes.subarray(0, random.below(next.bytes.length + 1)))
    }
    const size = random.pick([this.#platterSize, ...this.#unflushed.map((write) => write.size)])
    const result = new FaultyInode()
    const bytes = new Uint8Array(size)
    bytes.set(platter.subarray(0, size))
    result.replace(bytes)
    return result
  }

  #put(offset: number, bytes: Uint8Array, size: number): void {
    this.#cache = placed(placed(this.#cache, offset, bytes), size, NO_BYTES)
    this.#unflushed.push({ offset, bytes, size, isForsaken: false })
    this.size = size
  }

  /** The unflushed writes cut at the sectors' borders, by sector, oldest first. */
  #bySector(): Iterable<{ readonly offset: number; readonly bytes: Uint8Array }[]> {
    const sectors = new Map<number, { readonly offset: number; readonly bytes: Uint8Array }[]>()
    for (const { offset, bytes } of this.#unflushed) {
      for (let at = 0; at < bytes.length;) {
        const sector = Math.floor((offset + at) / SECTOR_BYTES)
        const end = Math.min(bytes.length, (sector + 1) * SECTOR_BYTES - offset)
        const writes = sectors.get(sector) ?? []
        writes.push({ offset: offset + at, bytes: bytes.subarray(at, end) })
        sectors.set(sector, writes)
        at = end
      }
    }
    return sectors.values()
  }
}

function sectorsOf({ offset, bytes }: UnflushedWrite): readonly [first: number, last: number] {
  return [Math.floor(offset / SECTOR_BYTES), Math.floor((offset + Math.max(0, bytes.length - 1)) / SECTOR_BYTES)]
}

/**
 * Places `bytes` into `target`, in a larger copy where they do not fit. Bytes never written are
 * zero.
 */
function placed(target: Uint8Array<ArrayBuffer>, offset: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const end = offset + bytes.length
  let result = target
  if (end > target.length) {
    result = new Uint8Array(Math.max(end, target.length * 2, SECTOR_BYTES))
    result.set(target)
  }
  result.set(bytes, offset)
  return result
}
