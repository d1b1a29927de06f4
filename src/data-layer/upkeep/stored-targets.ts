/** What a pattern means to those who look after copies: keyspaces, and their keys. */
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import { compilePattern } from '../../keys/pattern.ts'
import { intersects } from '../../keys/pattern-overlap.ts'
import type { KeyStore } from '../../store/key-store.ts'
import type { StoreClient } from '../stored/store-client.ts'

export interface StoredTarget {
  readonly keyspace: Keyspace
  /** Every key that is meant begins with it. */
  readonly prefix: string
  /** Whether the key is meant, and belongs to the keyspace now. */
  readonly isMeant: (key: string) => boolean
}

const PAGE_KEYS = 1000

/** Throws `WARP_E_PATTERN`, and `WARP_E_CONFIG` where nothing that is meant has a store. */
export function storedTargets(call: string, text: string, store: KeyStore): StoredTarget[] {
  const pattern = compilePattern(text)
  const targets: StoredTarget[] = []
  for (const keyspace of store.keyspaces.list) {
    if (keyspace.source?.store === undefined) continue
    const own = compilePattern(keyspace.pattern)
    if (intersects(own, pattern) === undefined) continue
    // One of them begins with the other.
    const [a, b] = [own.literalPrefix, pattern.literalPrefix]
    const isMeant = (key: string): boolean => pattern.matches(key) && keyspaceOf(key, store) === keyspace
    targets.push({ keyspace, prefix: a.length > b.length ? a : b, isMeant })
  }
  if (targets.length > 0) return targets
  throw new WarpError(
    'WARP_E_CONFIG',
    `${call}: no key of '${text}' has its truth in a store, and functions that load list no keys; ` +
      'give the pattern a store, or read the keys that you know with getMany',
    { details: { pattern: text } },
  )
}

/**
 * Of each key its keyspace, if the pattern means it and its truth is elsewhere. Throws `WARP_E_PATTERN`, and
 * `WARP_E_CONFIG` where that is so of none.
 */
export function meantSource(call: string, text: string, store: KeyStore): (key: string) => Keyspace | undefined {
  const pattern = compilePattern(text)
  const isMeant = ({ pattern: own, source }: Keyspace): boolean =>
    source !== undefined && intersects(compilePattern(own), pattern) !== undefined
  if (!store.keyspaces.list.some(isMeant))
    throw new WarpError(
      'WARP_E_CONFIG',
      `${call}: the truth of every key of '${text}' is here, so there are no copies of it; give the pattern a load or a store`,
      { details: { pattern: text } },
    )
  return (key) => {
    const keyspace = pattern.matches(key) ? keyspaceOf(key, store) : undefined
    return keyspace?.source === undefined ? undefined : keyspace
  }
}

/** Others may name what could be no key here. */
function keyspaceOf(key: string, store: KeyStore): Keyspace | undefined {
  try {
    return store.keyspaceOf(key)
  } catch {
    return undefined
  }
}

/** The keys that a store has a value of, page by page. */
export async function* listedKeys(client: StoreClient, prefix: string): AsyncGenerator<readonly string[]> {
  let after: string | undefined
  for (;;) {
    const keys = await client.listKeys(prefix, after, PAGE_KEYS)
    if (keys.length === 0) return
    yield keys
    after = keys.at(-1)
  }
}
