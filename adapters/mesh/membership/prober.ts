/**
 * Finds out whether a member lives: SWIM's probe with suspicion (Das, Gupta, Motivala 2002), and
 * more stubborn.
 *
 *     ping ─ timeout ─► ping again, and through others ─ … ─► interval over: suspect ─ … ─► suspicion over: given up
 *
 * Any sign of life ends the probe at any time: an answer, an answer through others, any authentic
 * packet. In SWIM a suspected member waits for the gossip to reach it and for its refutation to
 * come back; here everybody has a session with everybody, so whoever suspects keeps asking, four
 * times an interval, directly and through others. At 20 % loss one such round fails in 7 % of the
 * cases; a suspicion of two seconds has nine, so a false alarm takes years where SWIM's would take
 * minutes.
 *
 * Hearsay never decides, it only says whom to probe and what to conclude from silence: when others
 * have given the member up, or say that it left, one interval of silence is enough. So one slow or
 * lying member cannot make the others drop a peer that they hear themselves.
 *
 * A process that was stopped, or too busy, finds its deadlines passed and everybody silent. That is
 * its own fault (Dadgar, Phillips, Currey: Lifeguard, 2017): deadlines move by as much as the timer
 * was late.
 */
import type { Timer } from '../../../src/index.ts'
import type { MemberId, MeshClock } from '../contacts/contact.ts'
import { type Member, NOT_HEARD } from './members.ts'

export interface ProberHooks {
  ping(member: Member): void
  /** Has others ping it. */
  askOthers(member: Member): void
  /** Silent for an interval. */
  onSuspect(member: Member): void
  /** A suspect has been heard. */
  onTrusted(member: Member): void
  onGivenUp(member: Member, state: 'down' | 'left'): void
  suspicionMs(): number
}

interface Probe {
  readonly member: Member
  attemptCount: number
  suspectAtMs: number
  giveUpAtMs: number
  dueMs: number
  /** What silence means by the word of others. */
  rumour: 'down' | 'left' | undefined
  timer: Timer | undefined
}

const TIMEOUT_MS_MIN = 50

export class Prober {
  readonly #clock: MeshClock
  readonly #intervalMs: number
  readonly #hooks: ProberHooks
  readonly #probes = new Map<MemberId, Probe>()

  constructor(clock: MeshClock, intervalMs: number, hooks: ProberHooks) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#hooks = hooks
  }

  /** Does nothing but note the rumour when it is being probed already. */
  probe(member: Member, rumour?: 'down' | 'left'): void {
    const running = this.#probes.get(member.profile.member)
    if (running !== undefined) {
      running.rumour ??= rumour
      return
    }
    const suspectAtMs = this.#clock.monotonic() + this.#intervalMs
    member.heardTick = NOT_HEARD
    const dueMs = this.#clock.monotonic()
    const probe = { member, attemptCount: 0, suspectAtMs, giveUpAtMs: Infinity, dueMs, rumour, timer: undefined }
    this.#probes.set(member.profile.member, probe)
    this.#attempt(probe)
  }

  /** It lives, by its own word or by that of somebody whom we asked. */
  trust(member: Member): void {
    this.forget(member)
    if (member.state === 'suspect') this.#hooks.onTrusted(member)
  }

  forget(member: Member): void {
    this.#probes.get(member.profile.member)?.timer?.cancel()
    this.#probes.delete(member.profile.member)
  }

  close(): void {
    for (const { timer } of this.#probes.values()) timer?.cancel()
    this.#probes.clear()
  }

  #step(probe: Probe): void {
    const { member } = probe
    const nowMs = this.#clock.monotonic()
    this.#forgiveLateness(probe, nowMs - probe.dueMs)
    if (member.heardTick !== NOT_HEARD) {
      this.trust(member)
      return
    }
    if (member.state === 'alive' && nowMs >= probe.suspectAtMs) {
      if (probe.rumour !== undefined) {
        this.#giveUp(probe, probe.rumour)
        return
      }
      probe.giveUpAtMs = nowMs + this.#hooks.suspicionMs()
      this.#hooks.onSuspect(member)
    } else if (member.state === 'suspect' && (nowMs >= probe.giveUpAtMs || probe.rumour !== undefined)) {
      this.#giveUp(probe, probe.rumour ?? 'down')
      return
    }
    // An observer of ours may have ended the probe.
    if (this.#probes.get(member.profile.member) === probe) this.#attempt(probe)
  }

  #attempt(probe: Probe): void {
    const { member } = probe
    const delayMs =
      probe.attemptCount === 0 ? member.roundTrip.timeoutMs(TIMEOUT_MS_MIN, this.#intervalMs / 2) : this.#intervalMs / 4
    probe.dueMs = this.#clock.monotonic() + delayMs
    probe.timer = this.#clock.schedule(delayMs, () => this.#step(probe))
    this.#hooks.ping(member)
    if (probe.attemptCount++ > 0) this.#hooks.askOthers(member)
  }

  #giveUp(probe: Probe, state: 'down' | 'left'): void {
    this.forget(probe.member)
    this.#hooks.onGivenUp(probe.member, state)
  }

  #forgiveLateness(probe: Probe, lateMs: number): void {
    if (lateMs <= this.#intervalMs / 4) return
    probe.suspectAtMs += lateMs
    probe.giveUpAtMs += lateMs
  }
}
