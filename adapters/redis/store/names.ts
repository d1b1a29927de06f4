/** Under which names a row stands in Redis, and which keys have none. */
import type { RedisSettings } from './options.ts'

export interface RowNames {
  readonly value: string
  readonly meta: string
}

/**
 * The value's name is the key itself. That of meta hashes to the same slot of a cluster: Redis
 * hashes what stands in the first pair of braces, or the whole name. A name with braces of its own
 * keeps them in front, any other one is put into braces; so no two keys share a meta.
 */
export function namesOf(key: string, { prefix, metaPrefix }: Pick<RedisSettings, 'prefix' | 'metaPrefix'>): RowNames {
  const value = prefix + key
  return { value, meta: hasTag(value) ? `${metaPrefix}:${value}` : `${metaPrefix}{${value}}` }
}

/** The key whose meta stands under a name; `undefined` if it is none of this store's. */
export function keyOfMeta(
  name: string,
  { prefix, metaPrefix }: Pick<RedisSettings, 'prefix' | 'metaPrefix'>,
): string | undefined {
  const rest = name.slice(metaPrefix.length)
  const value = rest.startsWith(':') ? rest.slice(1) : rest.slice(1, -1)
  const key = value.slice(prefix.length)
  const isOurs = value.startsWith(prefix) && namesOf(key, { prefix, metaPrefix }).meta === name
  return isOurs ? key : undefined
}

/** Why the key cannot be kept, or `undefined`. */
export function refusalOf(key: string, { prefix, metaPrefix, isCluster }: RedisSettings): string | undefined {
  const value = prefix + key
  if (value.startsWith(metaPrefix)) return `names that begin with '${metaPrefix}' are Warp's own`
  const isSplit = isCluster && !hasTag(value) && value.includes('}')
  return isSplit
    ? `'${value}' has a closing brace without a hash tag, so meta could not be kept on its node`
    : undefined
}

function hasTag(name: string): boolean {
  const open = name.indexOf('{')
  return open >= 0 && name.indexOf('}', open) > open + 1
}

/** A pattern of `SCAN` for names that begin with `start`. */
export function patternOf(start: string): string {
  return `${start.replaceAll(/[\\*?[\]]/g, '\\$&')}*`
}
