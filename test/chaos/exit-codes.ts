/** A replica of a chaos run ends so when its log takes no more writes: only an opening helps. */
export const POISONED_EXIT = 3
