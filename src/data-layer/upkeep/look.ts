/**
 * One look at a key: whether anything can be said of it now, and what of it drifts. Drift is what
 * nothing explains: no request about the key is under way, no write of it is still on its way to the
 * store, and nothing came while the row was read. "Version" is the vector of the row: what was known
 * stored before the row was read has to be in it.
 */
import { identityOf } from '../../../crdt/encoding/encoding.ts'
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import { shownKind } from '../../../crdt/shown-kind.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Position } from '../../operation/position.ts'
import type { StoreRow } from '../../ports/primary-store.ts'
import type { DriftKind } from '../../store/event.ts'
import { MISS, type Keeper } from '../keeper.ts'
import type { Loads } from '../loads.ts'
import type { Base } from '../stored/rows/base.ts'
import type { StoredKey } from '../stored/stored-key.ts'
import type { StoredKeys } from '../stored/stored-keys.ts'

export interface LookParts {
  readonly keys: StoredKeys
  readonly keeper: Keeper
  readonly loads: Loads
  /** What has been applied here. Live. */
  readonly applied: VersionVector
}

/** What there is of a key before its row is read. */
export interface Look {
  readonly stored: StoredKey
  /** What a read would be given; `MISS`: it would load. */
  readonly copy: unknown
  /** What the store is known to hold. */
  readonly known: VersionVector
  readonly gathered: Position
}

/** What a row says of a key, if that is not what is here. `row`: absent where it cannot be read. */
export interface Differing {
  readonly kind: DriftKind
  readonly row: Base | undefined
}

export type Digest = ((key: string, value: never) => string) | undefined

/** `'moved'`: something about the key is under way. `undefined`: there is nothing of it to compare. */
export async function lookAt(stored: StoredKey, parts: LookParts): Promise<Look | 'moved' | undefined> {
  if (isUnderWay(stored, parts)) return 'moved'
  try {
    await parts.keys.gatherSteps(stored)
  } catch {
    // Whoever reads the key is told why.
    return 'moved'
  }
  return now(stored, parts)
}

function isUnderWay(stored: StoredKey, { keys, loads }: LookParts): boolean {
  const { key } = stored
  return stored.isBusy || stored.isRejected || loads.joinable(key) !== undefined || keys.find(key) !== stored
}

function now(stored: StoredKey, parts: LookParts): Look | 'moved' | undefined {
  const { keys, keeper } = parts
  if (isUnderWay(stored, parts) || !keys.gather(stored) || stored.isDirty) return 'moved'
  const slot = keeper.copies.find(stored.key)
  const copy = slot === undefined ? MISS : keeper.shown(slot)
  if (copy === MISS && stored.stored.size === 0) return undefined
  return { stored, copy, known: stored.stored.copy(), gathered: stored.gathered }
}

/**
 * What the row that was read meanwhile says. `'moved'`: something has come since. Throws what
 * `digest` throws.
 */
export function compared(
  look: Look,
  row: StoreRow | undefined,
  { digest, ...parts }: LookParts & { readonly digest: Digest },
): Differing | 'moved' | undefined {
  const { stored, copy } = look
  const then = now(stored, parts)
  if (typeof then !== 'object' || then.copy !== copy || then.gathered !== look.gathered) return 'moved'
  const base = readable(stored, row, parts.keys)
  if (base === undefined) return { kind: 'row-unreadable', row: undefined }
  // Where somebody else has made the row, that is a new beginning.
  const isOurs = row !== undefined && row.meta.length > 0
  if (isOurs && !base.vector.dominates(look.known)) return { kind: 'row-lacks', row: base }
  if (copy === MISS || isSame(stored.key, [copy, base.value], digest)) return undefined
  const seen = parts.applied.copy()
  seen.join(look.known)
  seen.join(stored.known())
  return { kind: seen.dominates(base.vector) ? 'copy-differs' : 'row-ahead', row: base }
}

function readable(stored: StoredKey, row: StoreRow | undefined, keys: StoredKeys): Base | undefined {
  try {
    return keys.baseOf(stored, row)
  } catch {
    return undefined
  }
}

function isSame(key: string, [one, other]: readonly [unknown, unknown], digest: Digest): boolean {
  if (one === undefined || other === undefined) return one === other
  return textOf(key, one, digest) === textOf(key, other, digest)
}

function textOf(key: string, value: unknown, digest: Digest): string {
  if (digest === undefined) return identityOf(value as Encodable)
  const text: unknown = digest(key, value as never)
  if (typeof text === 'string') return text
  throw new WarpError('WARP_E_CONFIG', `validate: digest gave ${shownKind(text)} for '${key}'; give a text`, {
    details: { key, option: 'digest' },
  })
}
