/** What an operation does, by the code in its envelope. */
export const OPERATION_KIND = { update: 1, delete: 2 } as const
