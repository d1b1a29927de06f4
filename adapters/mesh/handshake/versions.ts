/**
 * Versions of the mesh's protocol. A member says the oldest and the newest that it speaks, before
 * anything else, in packets whose form no version changes: knock, cookie and announcement. Two
 * members speak the greatest one that both know. What each has said goes into the transcript of
 * the handshake, so who changes it on the way prevents the handshake and does not lower it.
 *
 * Version 1 had a handshake of its own, was never released, and could not negotiate.
 */
export interface Versions {
  readonly oldest: number
  readonly newest: number
}

/** What this build speaks. */
export const MESH_VERSIONS: Versions = { oldest: 2, newest: 2 }

/** The greatest version that both speak; `undefined` if there is none, or one of them is nonsense. */
export function commonVersion(one: Versions, other: Versions): number | undefined {
  const version = Math.min(one.newest, other.newest)
  return version >= one.oldest && version >= other.oldest ? version : undefined
}

/** For people. */
export function versionsText({ oldest, newest }: Versions): string {
  return oldest === newest ? `version ${oldest}` : `versions ${oldest} to ${newest}`
}
