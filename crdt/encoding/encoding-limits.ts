/** How much one payload may nest and hold. Both directions of `encoding.ts` keep to these. */

/** Containers within each other; a value that is no container has depth 0. */
export const ENCODED_DEPTH_MAX = 64

/** Elements of one array, or properties of one object. */
export const ENCODED_ENTRIES_MAX = 65_536
