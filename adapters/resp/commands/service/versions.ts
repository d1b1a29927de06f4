/** Whose commands these are, as clients ask: some leave RESP3 alone where the version is below 6. */
export const REDIS_VERSION = '7.0.15'
