/** The map of key patterns, for modules that share it. */
import type { CheckedKeys, KeyMap } from './typed-keys.ts'

/**
 * Gives its argument back with the type of each pattern kept, so that a map may stand in a module
 * of its own: `export const keys = defineKeys({ 'user:*': register<User>() })`. Opening checks it.
 */
export function defineKeys<const K extends KeyMap>(keys: K & CheckedKeys<K>): K {
  return keys
}
