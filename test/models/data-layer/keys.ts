/** Two keys, and the targets of invalidations that match them: the key itself, a pattern that matches both, a tag. */
export const KEYS = ['a', 'b'] as const
export type Key = (typeof KEYS)[number]

export const TARGETS_OF: Readonly<Record<Key, readonly string[]>> = { a: ['a', 'a*', 'tag1'], b: ['b', 'a*', 'tag2'] }
export const TARGETS: readonly string[] = ['a', 'b', 'a*', 'tag1', 'tag2']

export const matches = (target: string, key: Key): boolean => TARGETS_OF[key].includes(target)

export const each = <T>(make: (key: Key) => T): Record<Key, T> => ({ a: make('a'), b: make('b') })
