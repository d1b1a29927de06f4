/**
 * A contact and its sessions, newest first. The last three stay good for receiving: after
 * handshakes that crossed, each side may well send with the session that is the other one's second,
 * for as long as sessions live.
 */
import { type Contact, type MemberProfile, addressOf } from './contact.ts'
import type { Endpoint } from '../sockets/network.ts'
import type { Session } from './session.ts'

const SESSIONS_MAX = 3
/**
 * How long one that has been superseded is still received with: longer than it can be the newest
 * one of the other side.
 */
const SUPERSEDED_MS = 7_200_000

export class KnownContact implements Contact {
  readonly profile: MemberProfile
  readonly endpoint: Endpoint
  readonly address: string
  /** Other addresses at which the same member has answered. */
  aliases: readonly string[] = []
  /** How often we have looked since something has come. */
  silentCount = 0
  sessions: readonly Session[] = []

  constructor(profile: MemberProfile, endpoint: Endpoint) {
    this.profile = profile
    this.endpoint = endpoint
    this.address = addressOf(endpoint)
  }

  /** The one to send with. */
  get newest(): Session | undefined {
    return this.sessions[0]
  }

  /** Takes a session in front; returns those that no longer count. */
  add(session: Session, nowMs: number): readonly Session[] {
    if (this.newest !== undefined) this.newest.supersededMs = nowMs
    return this.#keep([session, ...this.sessions].slice(0, SESSIONS_MAX))
  }

  /** Keeps what `isGood` says; returns those that no longer count. */
  retain(isGood: (session: Session) => boolean): readonly Session[] {
    return this.#keep(this.sessions.filter(isGood))
  }

  #keep(sessions: readonly Session[]): readonly Session[] {
    const gone = this.sessions.filter((session) => !sessions.includes(session))
    this.sessions = sessions
    return gone
  }
}

export function isCurrent(nowMs: number): (session: Session) => boolean {
  return ({ supersededMs }) => supersededMs === undefined || nowMs - supersededMs < SUPERSEDED_MS
}
