/** A place in the log, `segment × 2^32 + offset`: names a record for ever. 0 stands for none. */
export type Position = number
