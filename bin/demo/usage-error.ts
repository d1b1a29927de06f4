/**
 * The user can mend it: a wrong option, an unreadable file, a malformed history. The demo says it
 * and exits with code 2.
 */
export class UsageError extends Error {}
