/**
 * What replicas tell each other of copies, and whether what is told may be kept: here, and nowhere else.
 * A copy counts from where its load began, wherever that was. Every invalidation of the key that is
 * remembered here, all that is not remembered, and every write of the key have to have been seen by then.
 *
 * Of a key with a store replicas tell each other the row (`stored/row-fills.ts`).
 */
import { decode, encode } from '../../../crdt/encoding/encoding.ts'
import { shared } from '../../../crdt/encoding/shared-value.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { CopyRules } from '../../keys/source/source.ts'
import { FILL_BYTES_MAX, LIFE_MS_MAX } from '../../limits.ts'
import type { EndedIds } from '../../operation/ended-ids.ts'
import type { Env } from '../../ports/env.ts'
import type { FilledRow, ToldCopy } from '../../ports/talk/copy-talk.ts'
import type { Flight } from '../flight.ts'
import type { Invalidations } from '../invalidations.ts'
import { MISS, type Keeper } from '../keeper.ts'
import type { LoadRequest } from '../load-request.ts'
import type { Loads } from '../loads.ts'
import type { RowFills } from '../stored/row-fills.ts'

export interface FillsOptions {
  readonly env: Env
  readonly ended: EndedIds
  readonly invalidations: Invalidations
  readonly keeper: Keeper
  readonly loads: Loads
  readonly keyspaceOf: (key: string) => Keyspace
  /** Of keys with a store. */
  readonly rows: RowFills
  /** The newest writes of a key that are known here. */
  readonly newestWrites: (key: string) => readonly Dot[]
}

/** A copy that another replica has told, and what had been seen where it is. */
export interface Fill extends ToldCopy {
  readonly begin: VersionVector
}

type RowFill = Fill & { readonly row: FilledRow }

/** What is known of who wants it. */
export type Wanting = Pick<LoadRequest, 'key' | 'rules' | 'tags' | 'isMade'>

export class Fills {
  readonly #options: FillsOptions

  constructor(options: FillsOptions) {
    this.#options = options
  }

  /**
   * What is kept here of a key, to be told: its groups and its life are known by the copy. `undefined`: it
   * cannot be told.
   */
  of(key: string, value: unknown): ToldCopy | undefined {
    const { keeper, keyspaceOf, rows } = this.#options
    const { copies } = keeper
    const slot = copies.find(key)
    const isStored = keyspaceOf(key).source?.store !== undefined
    const told = isStored ? rows.told(key) : { value: value === undefined ? undefined : encode(value) }
    if (told === undefined || (slot === undefined && value !== undefined)) return undefined
    const tags = slot === undefined ? [] : (copies.tags[slot] ?? [])
    const leftMs = slot === undefined ? 0 : this.#leftMs(copies.endsAtMs[slot]!)
    const copy: ToldCopy = { leftMs, tags, ...told }
    return bytesOf(copy) > FILL_BYTES_MAX ? undefined : copy
  }

  /** Judges what another replica says, and keeps it. Returns its value, or `MISS` if it may not be used. */
  async take(flight: Flight, wanting: Wanting, fill: Fill): Promise<unknown> {
    const keyspace = this.#options.keyspaceOf(wanting.key)
    // Of two that say otherwise of the pattern neither understands the other one.
    if ((keyspace.source?.store === undefined) !== (fill.row === undefined)) return MISS
    if (fill.row !== undefined) return this.#takeRow(flight, wanting, { ...fill, row: fill.row }, keyspace)
    const { key, rules } = wanting
    const { invalidations, keeper } = this.#options
    const value = valueOf(fill)
    if (value === MISS) return MISS
    const tags = this.#tagsOf(wanting, fill, value)
    if (!this.#isSeen(key, tags, fill.begin)) return MISS
    // From now on: whatever comes later voids it.
    const told = { value, begin: invalidations.count, rules, tags, ...lifeOf(fill.leftMs, rules) }
    if (!flight.isOver && !flight.isVoid) keeper.keep(key, told)
    return value
  }

  /** The same of a row, with what is here of the key on top. */
  async #takeRow(flight: Flight, wanting: Wanting, fill: RowFill, keyspace: Keyspace): Promise<unknown> {
    const { key, rules, tags } = wanting
    const { rows, loads } = this.#options
    try {
      await rows.gather(key, keyspace)
      const answer = rows.answer(key, keyspace, fill)
      const value = answer?.value()
      if (answer === undefined || (value === undefined && wanting.isMade === true)) return MISS
      if (!this.#isSeen(key, this.#tagsOf(wanting, fill, value), fill.begin)) return MISS
      const { lifeMs, endsThen } = lifeOf(fill.leftMs, rules)
      flight.ttlMs = lifeMs
      flight.endsThen = endsThen
      return loads.finish(flight, { key, rules, tags: [...tags, ...fill.tags] }, answer)
    } catch {
      // A row that cannot be read here: whoever asks the store for it is told why.
      return MISS
    }
  }

  #tagsOf({ key, rules, tags }: Wanting, fill: Fill, value: unknown): string[] {
    const ofPattern = value === undefined ? [] : (rules.tags?.(key, value) ?? [])
    return [...new Set([...fill.tags, ...tags, ...ofPattern])]
  }

  /** Whether a load that had seen `begin` counts here. */
  #isSeen(key: string, tags: readonly string[], begin: VersionVector): boolean {
    const { invalidations, ended, newestWrites } = this.#options
    const hasSeen = ({ replica, sequence }: Dot): boolean =>
      begin.includes(replica, sequence) || ended.includes(replica, sequence)
    return invalidations.isSeenByFill(key, tags, hasSeen) && newestWrites(key).every(hasSeen)
  }

  /** 0: it never ends. */
  #leftMs(endsAtMs: number): number {
    if (endsAtMs === Infinity) return 0
    return Math.min(LIFE_MS_MAX, Math.max(1, Math.floor(endsAtMs - this.#options.env.monotonic())))
  }
}

/** Bytes on the wire, about. */
export function bytesOf({ value, tags, row }: ToldCopy): number {
  const ofTags = tags.reduce((sum, tag) => sum + 3 * tag.length, 0)
  const ofRow = row === undefined ? 0 : (row.meta?.length ?? 0) + row.token.length + ENTRY_BYTES * row.known.size
  return BESIDE_BYTES + ofTags + (value?.length ?? 0) + ofRow
}

/** An entry of a vector, and what stands beside a value. */
const ENTRY_BYTES = 12
const BESIDE_BYTES = 24

function valueOf({ value }: ToldCopy): unknown {
  if (value === undefined) return undefined
  try {
    return shared(decode(value, 0, value.length))
  } catch {
    // Bytes that are no value, of a peer that is broken or of a later build.
    return MISS
  }
}

/** It ends with the copy that it was made of, or before by what is said here. */
function lifeOf(leftMs: number, { ttlMs }: CopyRules): { lifeMs: number | undefined; endsThen: boolean } {
  if (leftMs === 0) return { lifeMs: undefined, endsThen: false }
  return { lifeMs: ttlMs === 0 ? leftMs : Math.min(leftMs, ttlMs), endsThen: true }
}
