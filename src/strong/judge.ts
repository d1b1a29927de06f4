/**
 * Judges a command at its place, against the keys as everything before it has left them. What is
 * looked at is the same on every replica: values, versions, and the time of the log.
 */
import { hlcToMs, type Hlc } from '../../crdt/time/hlc.ts'
import { isWarpError, WarpError, type WarpErrorCode } from '../../crdt/warp-error.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { isOrderedId } from '../operation/names/ordered-id.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Draft } from '../store/write-road/draft.ts'
import { prepare, Preparation } from '../store/write-road/prepare.ts'
import type { Target } from '../store/write-road/target.ts'
import type { Change, Expectation, WriteCommand } from './commands.ts'
import { isMet } from './expectation.ts'
import type { Verdict } from './verdict.ts'

/** What a command comes to: nothing has been written yet. */
export type Judged =
  | { readonly verdict: Exclude<Verdict, { kind: 'done' }> }
  | { readonly verdict?: never; readonly drafts: Draft[]; readonly versions: readonly number[] }

/**
 * This replica cannot tell what the others come to: a pattern is missing, the log cannot be read.
 * Nothing may be skipped, so the partition stops here.
 */
export class CannotJudge extends Error {
  override readonly cause: WarpError

  constructor(cause: WarpError) {
    super(cause.message)
    this.cause = cause
  }
}

/** Of one key, at the place that is being judged. `undefined`: the key has no value. */
export function versionAt(store: KeyStore, slot: Slot | undefined, hlc: Hlc): number {
  if (slot === undefined || !isThere(store, slot, hlc)) return 0
  return store.keys.tipSequence[slot]!
}

/** Throws `CannotJudge` where the key cannot be read. */
function versionHere(store: KeyStore, slot: Slot | undefined, hlc: Hlc): number {
  try {
    return versionAt(store, slot, hlc)
  } catch (error) {
    throw cannotJudge(error)
  }
}

function isThere(store: KeyStore, slot: Slot, hlc: Hlc): boolean {
  const { keys, values } = store
  const replica = keys.tipReplica[slot]
  if (replica === undefined || !isOrderedId(replica)) return false
  if (values.isOver(slot, hlcToMs(hlc))) return false
  // Not as it is to be seen by this replica's clock.
  const { present, state } = values.resident(slot)
  return present && !store.strategyAt(slot).isEmpty(state)
}

/**
 * Judges a write. Its first operation is stamped `first`, and has the number behind `sequence`; the
 * others follow. Throws `CannotJudge`.
 */
export function judgeWrite(
  store: KeyStore,
  command: WriteCommand,
  { first, sequence }: { readonly first: Hlc; readonly sequence: number },
): Judged {
  for (const expected of command.expected) {
    const { slot } = targetOf(store, expected.key)
    const version = versionHere(store, slot, first)
    if (isMetHere(store, slot, expected, version)) continue
    return { verdict: { kind: 'conflict', key: expected.key, version } }
  }
  const drafts: Draft[] = []
  const versions: number[] = []
  try {
    for (const change of command.changes) {
      const draft = draftOf(store, change, { hlc: first + drafts.length, ahead: drafts.length })
      if (draft !== undefined) drafts.push(draft)
      versions.push(
        draft === undefined ? versionAt(store, store.keys.find(change.key), first) : sequence + drafts.length,
      )
    }
    return { drafts, versions }
  } catch (error) {
    return { verdict: refusal(error) }
  }
}

/** Throws `CannotJudge` where the value cannot be read. */
function isMetHere(store: KeyStore, slot: Slot | undefined, expected: Expectation, version: number): boolean {
  try {
    // A key with a version has a slot.
    return isMet(expected, version, () => valueAt(store, slot as Slot))
  } catch (error) {
    throw cannotJudge(error)
  }
}

/** The value of a key that is there, whatever this replica's clock says. */
export function valueAt(store: KeyStore, slot: Slot): unknown {
  return store.strategyAt(slot).read(store.values.resident(slot).state)
}

function draftOf(
  store: KeyStore,
  { key, strategy, verb, parameters, lifeMs }: Change,
  { hlc, ahead }: { readonly hlc: Hlc; readonly ahead: number },
): Draft | undefined {
  const target = targetOf(store, key)
  const { keyspace, slot } = target
  if (keyspace.code !== strategy) throw new CannotJudge(otherStrategy(target, strategy))
  const of = { key, keyspace, slot, hlc }
  if (verb === undefined) {
    if (keyspace.strategy.deletes === 'refused') throw noSuchVerb(target, 'delete')
    // A key that is gone may have been forgotten here, and not on another replica.
    if (versionAt(store, slot, hlc) === 0) return undefined
    return { ...of, kind: OPERATION_KIND.delete, payload: undefined }
  }
  const verbs = keyspace.strategy.verbs as Readonly<Record<string, Parameters<typeof prepare>[2] | undefined>>
  const known = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
  if (known === undefined) throw noSuchVerb(target, verb)
  const preparation = new Preparation(store, target, { ahead })
  preparation.hlc = hlc
  const payload = prepare(store, target, known, { preparation, parameters })
  return payload === undefined ? undefined : { ...of, kind: OPERATION_KIND.update, payload, lifeMs }
}

/** Throws `CannotJudge` for keys that are not strong here. */
export function targetOf(store: KeyStore, key: string): Target & { readonly keyspace: Keyspace } {
  const slot = store.keys.find(key)
  try {
    const keyspace = store.keyspaceOfFound(key, slot)
    if (keyspace.mode === 'strong') return { key, keyspace, slot }
    throw new WarpError(
      'WARP_E_MODE',
      `'${key}' is written in the ordered log, and '${keyspace.pattern}' has mode '${keyspace.mode}' here; ` +
        `use mode 'strong' on every replica`,
      { details: { key, pattern: keyspace.pattern } },
    )
  } catch (error) {
    throw cannotJudge(error)
  }
}

/** What a strategy refuses it refuses everywhere. All else is this replica's own trouble. */
const REFUSED_ALIKE: ReadonlySet<WarpErrorCode> = new Set<WarpErrorCode>([
  ...(['WARP_E_BOUND', 'WARP_E_CONFIG', 'WARP_E_LIMIT', 'WARP_E_MERGE', 'WARP_E_MODE'] as const),
  ...(['WARP_E_PROTOCOL', 'WARP_E_STRATEGY', 'WARP_E_UNENCODABLE'] as const),
])

/** Throws `CannotJudge` for what other replicas may not run into. */
export function refusal(error: unknown): Extract<Verdict, { kind: 'failed' }> {
  if (isWarpError(error) && REFUSED_ALIKE.has(error.code))
    return { kind: 'failed', code: error.code, message: error.message }
  throw cannotJudge(error)
}

/** What a write makes is too large for an operation, or cannot be carried: it is the same bytes everywhere. */
export function isBeyondBounds(error: unknown): boolean {
  return isWarpError(error, 'WARP_E_LIMIT') || isWarpError(error, 'WARP_E_UNENCODABLE')
}

export function cannotJudge(error: unknown): CannotJudge {
  if (error instanceof CannotJudge) return error
  if (isWarpError(error)) return new CannotJudge(error)
  return new CannotJudge(
    new WarpError('WARP_E_MERGE', `a strategy threw what is no WarpError: ${String(error)}`, { cause: error }),
  )
}

function noSuchVerb({ key, keyspace }: Target, verb: string): WarpError {
  const { kind } = keyspace.strategy
  const names = Object.keys(keyspace.strategy.verbs as object).join(', ')
  return new WarpError('WARP_E_MODE', `'${key}' has no ${verb}: its strategy '${kind}' offers ${names}`)
}

function otherStrategy({ key, keyspace }: Target, code: number): WarpError {
  return new WarpError(
    'WARP_E_STRATEGY',
    `'${key}' is written in the ordered log by a strategy of code ${code}, and '${keyspace.pattern}' has ` +
      `'${keyspace.strategy.kind}' (${keyspace.code}) here; use one strategy on every replica`,
    { details: { key, pattern: keyspace.pattern } },
  )
}
