/** Why the cases of a primary store are not for the caches that have none. */
const WHY = 'writes no primary store'

export const NO_STORE: Readonly<Record<string, string>> = { J: WHY, K: WHY, L: WHY }
