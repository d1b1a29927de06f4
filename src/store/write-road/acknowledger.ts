/**
 * The last step of a write: waiting until an operation is as safe as its writer asked. Knows the
 * levels of this replica's log, and through a port how far other replicas hold it.
 */
import { checkOptions, isNumberFrom, isWholeFrom } from '../../../crdt/checked-options.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { shownKind, shownValue } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Domain } from '../../keys/domain.ts'
import type { Log } from '../../log/log.ts'
import { whenAborted } from '../../ports/abort-signals.ts'
import { ACKS_TIMEOUT_MS_MAX, type ReplicaAcknowledgements, type ReplicaAcks } from './acknowledgement.ts'
import { ACKS_OPTIONS, type Ack, type Settlement } from './receipt.ts'

/** How safe an operation is to be. */
export interface Wish {
  readonly ack: Ack
  readonly acks?: ReplicaAcks | undefined
}

const RANK: Readonly<Record<Ack, number>> = { memory: 0, logged: 1, durable: 2 }

export class Acknowledger {
  readonly #log: Log
  readonly #isPersistent: boolean
  #replicas: ReplicaAcknowledgements | undefined
  /** What is waited for where nothing is asked for. */
  readonly ackDefault: Ack

  constructor(log: Log, ackDefault?: Ack) {
    this.#log = log
    this.#isPersistent = log.persistent
    this.ackDefault = ackDefault ?? (this.#isPersistent ? 'logged' : 'memory')
    this.checkAck(this.ackDefault)
  }

  /** From now on other replicas may be waited for. */
  connect(replicas: ReplicaAcknowledgements): void {
    this.#replicas = replicas
  }

  /** Whether there is nothing to wait for at that level of this log. */
  isReached(ack: Ack): boolean {
    return ack === 'memory' || !this.#isPersistent
  }

  /** Throws `WARP_E_CONFIG` for a level that this log cannot give. */
  checkAck(ack: Ack): void {
    if (typeof ack !== 'string' || !Object.hasOwn(RANK, ack)) {
      throw new WarpError('WARP_E_CONFIG', `ack is ${shownKind(ack)}; use 'memory', 'logged' or 'durable'`)
    }
    if (ack === 'memory' || this.#isPersistent) return
    throw new WarpError(
      'WARP_E_CONFIG',
      `ack '${ack}' needs a log that outlives the process; this one is in memory; use fileLog()`,
    )
  }

  /**
   * Throws `WARP_E_CONFIG` for what can never be reached here, `WARP_E_MODE` for keys that no other
   * replica gets.
   */
  checkAcks(acks: ReplicaAcks, domain: Domain): void {
    if (domain.kind === 'local') {
      throw new WarpError(
        'WARP_E_MODE',
        `acks asks other replicas for a key of mode 'local', which never leaves this one; leave acks out, or use 'eventual'`,
      )
    }
    checkShape(acks)
    const { replicas, zones = 1, level, countSelf = true } = acks
    if (countSelf && level !== undefined && level !== 'memory' && !this.#isPersistent) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `acks.level is '${level}' and this replica is to count, but its log is in memory; use fileLog(), or countSelf: false`,
      )
    }
    if (this.#replicas !== undefined || (replicas === 1 && countSelf)) return
    throw new WarpError(
      'WARP_E_CONFIG',
      `acks asks for ${replicas} replicas in ${zones} zones, but there are no transports to reach others; ` +
        'give openWarp({ transports }), or leave acks out',
    )
  }

  /**
   * Settles when the operation is as safe as wished. Everything written before this call counts as
   * written, so for the levels of this log `dot` does not matter. The wish has been checked.
   * Rejects with `WARP_E_ABORTED` (`indeterminate`) when `signal` aborts, and with what has
   * poisoned the log.
   */
  settled(dot: Dot | undefined, wish: Wish, signal?: AbortSignal): Promise<Settlement> {
    const reached = this.#settled(dot, wish, signal)
    return signal === undefined ? reached : abortable(reached, signal)
  }

  async #settled(dot: Dot | undefined, { ack, acks }: Wish, signal: AbortSignal | undefined): Promise<Settlement> {
    if (acks === undefined || dot === undefined) {
      await this.logged(ack)
      return { ack: this.#levelOf(ack) }
    }
    const { replicas, zones = 1, countSelf = true } = acks
    const asked = acks.level ?? 'logged'
    // A replica that counts itself holds the operation at that level itself.
    const own = countSelf && RANK[asked] > RANK[ack] ? asked : ack
    const [, reached] = await Promise.all([this.logged(own), this.#replicas?.settled(dot, acks, signal)])
    const level = reached ?? acks.level ?? (this.#isPersistent ? 'logged' : 'memory')
    return { ack: this.#levelOf(own), acks: { replicas, zones, level, countSelf } }
  }

  #levelOf(ack: Ack): Ack {
    return this.#isPersistent ? ack : 'memory'
  }

  /** Settles when everything written before this call is as safe here as `ack` says. */
  logged(ack: Ack): Promise<void> {
    return ack === 'memory' || !this.#isPersistent ? Promise.resolve() : this.#log.settled(ack)
  }
}

function checkShape(acks: ReplicaAcks): void {
  checkOptions('acks', acks, ACKS_OPTIONS)
  const { replicas, zones = 1, level = 'logged', countSelf = true, timeoutMs = 1 } = acks
  if (!isCount(replicas) || !isCount(zones) || zones > replicas) {
    throw new WarpError(
      'WARP_E_CONFIG',
      `acks asks for ${shownValue(replicas)} replicas in ${shownValue(zones)} zones; give whole numbers of at least 1, and no more zones than replicas`,
    )
  }
  if (typeof level !== 'string' || !Object.hasOwn(RANK, level)) {
    throw new WarpError('WARP_E_CONFIG', `acks.level is ${shownKind(level)}; use 'memory', 'logged' or 'durable'`)
  }
  if (typeof countSelf !== 'boolean')
    throw new WarpError('WARP_E_CONFIG', `acks.countSelf is ${shownKind(countSelf)}; use true or false`)
  if (!isNumberFrom(timeoutMs, 1, ACKS_TIMEOUT_MS_MAX)) {
    throw new WarpError(
      'WARP_E_CONFIG',
      `acks.timeoutMs is ${shownValue(timeoutMs)}; give milliseconds from 1 to ${ACKS_TIMEOUT_MS_MAX}, or leave it out to wait without limit`,
    )
  }
}

function isCount(value: unknown): boolean {
  return isWholeFrom(value, 1)
}

/** Ends the waiting when the signal aborts; the operation stays where it is. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(aborted(signal, 'indeterminate'))
    const stopWaiting = whenAborted(signal, give)
    promise.then(resolve, reject).finally(stopWaiting)
  })
}

export function aborted(signal: AbortSignal, outcome: 'failed' | 'indeterminate'): WarpError {
  const what = outcome === 'failed' ? 'nothing was written' : 'the operation is in the log, only the waiting ended'
  return new WarpError('WARP_E_ABORTED', `the write was given up; ${what}`, { cause: signal.reason, outcome })
}
