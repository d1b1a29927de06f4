/** What a pattern means to those who look after copies: keyspaces with a store, and their keys. */
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
    const isMeant = (key: string): boolean => pattern.matches(key) && isOf(key, keyspace, store)
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

/** Others may write into the store what could be no key here. */
function isOf(key: string, keyspace: Keyspace, store: KeyStore): boolean {
  try {
    return store.keyspaceOf(key) === keyspace
  } catch {
    return false
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
