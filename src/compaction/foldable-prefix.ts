/**
 * How much of a key's chain may be folded into a snapshot. A prefix may be folded only if every known replica has applied it, if every
 * operation behind it observed all of it, and, for folds in canonical order, if all of those come behind it in that order: then no
 * operation still to come can belong inside, and no read changes (Baquero, Almeida, Shoker 2014 on causal stability).
 */
import { hlcToMs } from '../../crdt/time/hlc.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { Placed } from '../merge/placed.ts'
import type { Env } from '../ports/env.ts'
import type { ChainReader } from '../merge/chain-reader.ts'

export interface Stretch {
  /** The length of the longest prefix, in order of arrival, that may be folded. */
  readonly count: number
  /** Operations that need not be retained and are not stable yet. */
  readonly unstableCount: number
}

/** `stable` is absent where no other replica has to be waited for. */
export function foldablePrefix(
  operations: readonly Placed[],
  keyspace: Keyspace,
  {
    env,
    chains,
    stable,
  }: { readonly env: Env; readonly chains: ChainReader; readonly stable?: VersionVector | undefined },
): Stretch {
  const unretained = unretainedCount(keyspace, operations, env)
  let count = 0
  while (count < unretained && (stable === undefined || isStable(stable, operations[count] as Placed))) count++
  const unstableCount = unretained - count
  return {
    count: count === operations.length ? count : closedCount(keyspace, operations, count, chains),
    unstableCount,
  }
}

function isStable(stable: VersionVector, operation: Placed): boolean {
  return stable.includes(operation.replica, operation.sequence)
}

function unretainedCount({ retain }: Keyspace, operations: readonly Placed[], env: Env): number {
  if (retain === 'all') return 0
  if (retain === 'latest') return operations.length
  if ('versions' in retain) return Math.max(0, operations.length - retain.versions)
  const before = env.now() - retain.forMs
  const kept = operations.findIndex(({ hlc }) => hlcToMs(hlc) >= before)
  return kept < 0 ? operations.length : kept
}

/** Shortens the prefix until everything behind it observed all of it and, where order matters, comes after it. */
function closedCount(keyspace: Keyspace, operations: readonly Placed[], longest: number, chains: ChainReader): number {
  const isOrdered = keyspace.strategy.fold === 'canonical'
  let count = longest
  for (let i = operations.length - 1; i >= count && count > 0; i--) {
    const later = operations[i] as Placed
    const reader = chains.read(later.position)
    const open = operations.slice(0, count).findIndex((earlier) => {
      return !reader.observed(earlier.replica, earlier.sequence) || (isOrdered && earlier.hlc >= later.hlc)
    })
    if (open >= 0) {
      // What is cut off the prefix lies behind it now and has to be looked at as well.
      count = open
      i = operations.length
    }
  }
  return count
}
