/** What a reader wants of the data layer, and what a loader is told. */
import { isNumberFrom } from '../../crdt/checked-options.ts'
import { shownValue } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { NOT_MODIFIED, type CopyRules, type LoadContext } from '../keys/source/source.ts'
import { LIFE_MS_MAX } from '../limits.ts'
import type { Flight } from './flight.ts'

/** One reader of one key. */
export interface LoadRequest {
  readonly key: string
  readonly rules: CopyRules
  /** Brings the value; may throw. */
  readonly load: (context: LoadContext) => unknown
  /** Groups that the call says the value belongs to. */
  readonly tags: readonly string[]
  readonly signal: AbortSignal | undefined
  /** What the source has not is made by the caller. */
  readonly isMade?: boolean
}

/** What a load may answer with that has more to say than a value: the row of a store. */
export abstract class Answer {
  /** What the key is with it taken in. Throws what makes the answer useless. */
  abstract value(): unknown

  /** A copy of it has been kept. */
  kept(): void {
    // Nothing follows from that.
  }

  /** Something about the key has come meanwhile: it is given to who waited, and not kept. */
  dropped(): void {
    // Nothing follows from that.
  }
}

/** Names of groups are keys of a table, and travel. */
export const TAG_LENGTH_MAX = 512
/** Of one value: each read behind an invalidation looks through them. */
export const TAGS_MAX = 64

/** Throws `WARP_E_CONFIG`. */
export function checkTags(what: string, tags: unknown): asserts tags is readonly string[] {
  if (!Array.isArray(tags)) throw badTags(`${what}: tags are ${shownValue(tags)}; give a list of texts`)
  if (tags.length > TAGS_MAX) throw badTags(`${what}: ${tags.length} tags are more than the ${TAGS_MAX} of one value`)
  for (const [i, tag] of (tags as readonly unknown[]).entries())
    if (!isTag(tag))
      throw badTags(
        `${what}: tags[${i}] is ${shownValue(tag)}; give well-formed texts of 1 to ${TAG_LENGTH_MAX} characters`,
      )
}

/** Whether it is a name that values may be loaded with. */
export function isTag(tag: unknown): boolean {
  return typeof tag === 'string' && tag.length > 0 && tag.length <= TAG_LENGTH_MAX && tag.isWellFormed()
}

function badTags(message: string): WarpError {
  return new WarpError('WARP_E_CONFIG', message, { details: { option: 'tags' } })
}

/** Throws `WARP_E_CONFIG`. */
export function checkedLoadedLife(key: string, ms: unknown): number {
  if (isNumberFrom(ms, 1, LIFE_MS_MAX)) return ms
  throw new WarpError(
    'WARP_E_CONFIG',
    `context.ttlMs was given ${shownValue(ms)}; give milliseconds from 1 to ${LIFE_MS_MAX}`,
    { details: { key } },
  )
}

/** What a loader of one key is given. `stale`: the value in memory that is out of date. */
export function contextOf(flight: Flight, stale: unknown): LoadContext {
  return {
    key: flight.key,
    get signal() {
      return flight.signal
    },
    stale,
    ttlMs(ms) {
      flight.ttlMs = checkedLoadedLife(flight.key, ms)
    },
    tags(...tags) {
      checkTags('context.tags', tags)
      flight.tags = [...flight.tags, ...tags]
    },
    notModified: () => NOT_MODIFIED,
  }
}
