/**
 * Says how the parts of an engine are, from what they know of themselves. Takes time in proportion
 * to peers and projections, not to keys.
 *
 * What the replicas of a cluster meet all at once must not make all of them unready: then nobody
 * would be left to serve. So a replica that has once caught up stays ready while it lags or is cut
 * off, which a cluster without a leader is made for, and says so.
 */
import type { WarpError } from '../../../crdt/warp-error.ts'
import type { Log } from '../../log/log.ts'
import type { StoreCounts } from '../../data-layer/stored/stores.ts'
import type { ProjectionLag } from '../../projections/projection.ts'
import type { ReplicationProgress } from '../../replication/reception/catching-up.ts'
import type { Standstill } from '../../replication/members/stability.ts'
import type { Health, HealthPart, HealthReason, HealthReasonCode, PartHealth } from './health.ts'

export interface AssessedParts {
  readonly isClosing: boolean
  readonly log: Pick<Log, 'failure' | 'isOutOfSpace'>
  /** `undefined`: there are no transports. */
  readonly replication: ReplicationProgress | undefined
  readonly projections: readonly ProjectionLag[]
  readonly standstill: Standstill | undefined
  /** Other regions of which no replica is up. */
  readonly regionsDown: readonly string[]
  /** Why strong keys are refused or stand still. */
  readonly order: WarpError | undefined
  readonly stores: readonly Pick<StoreCounts, 'name' | 'isFailing' | 'unstoredKeysCount'>[]
}

const OK: PartHealth = Object.freeze({ state: 'ok', reasons: Object.freeze([]) })

/** From harmless to hopeless. */
const STATES = ['ok', 'degraded', 'waiting', 'failed'] as const

export function assessHealth(parts: AssessedParts): Health {
  const assessed: Readonly<Record<HealthPart, PartHealth>> = {
    engine: parts.isClosing ? waiting('closing', 'the engine is being closed, or has been') : OK,
    log: logHealth(parts.log),
    replication: all([
      parts.replication === undefined ? OK : replicationHealth(parts.replication),
      ...parts.regionsDown.map((region) =>
        degraded('region-down', `no replica of the region ${region} is heard, by itself or through a relay`, {
          region,
        }),
      ),
    ]),
    projections: all(parts.projections.map(projectionHealth)),
    compaction:
      parts.standstill === 'too-many-replicas'
        ? degraded('too-many-replicas', 'there are more replicas than can be kept track of; nothing is compacted')
        : OK,
    stores: all(parts.stores.map(storeHealth)),
    order: orderHealth(parts.order),
  }
  const states = new Set(Object.values(assessed).map(({ state }) => state))
  const isLive = !states.has('failed')
  return { live: isLive, ready: isLive && !states.has('waiting'), parts: assessed }
}

function logHealth(log: AssessedParts['log']): PartHealth {
  const { failure } = log
  if (failure !== undefined) return part('failed', { code: 'log-poisoned', message: failure.message })
  if (log.isOutOfSpace()) return waiting('log-full', 'the disk has no space for the log; writes are refused')
  return OK
}

function replicationHealth(progress: ReplicationProgress): PartHealth {
  const { phase, missingCount, behindMs, behindMsMax, isAlone, isUnmergeable } = progress
  const found: PartHealth[] = []
  if (phase === 'listening') found.push(waiting('listening', 'who is there, and what they have, is not known yet'))
  if (phase === 'catching-up')
    found.push(waiting('catching-up', `${missingCount} operations of peers have not arrived yet`, { missingCount }))
  if (phase === 'taking-over') found.push(waiting('taking-over-state', 'the state of a peer has to be taken over'))
  if (isUnmergeable)
    found.push(degraded('unmergeable', 'this replica and a peer have both compacted what the other has never seen'))
  if (phase === 'caught-up' && behindMs > behindMsMax)
    found.push(
      degraded('lagging', `${missingCount} operations of peers have been missing for too long`, {
        missingCount,
        behindMs: Math.round(behindMs),
      }),
    )
  if (phase === 'caught-up' && isAlone)
    found.push(degraded('alone', 'no other replica is heard, and some have been met'))
  return all(found)
}

function projectionHealth({ name, state }: ProjectionLag): PartHealth {
  if (state === 'reading') return waiting('projection-reading', `projection '${name}' reads the log`, { name })
  if (state === 'failed') return degraded('projection-failed', `the apply of projection '${name}' threw`, { name })
  return OK
}

function storeHealth({ name, isFailing, unstoredKeysCount }: AssessedParts['stores'][number]): PartHealth {
  if (!isFailing) return OK
  const message = `the store ${name} fails; copies are served, and ${unstoredKeysCount} keys wait to be written`
  return degraded('store-failing', message, { name, unstoredKeysCount })
}

/** Keys of the other modes go on. */
function orderHealth(trouble: WarpError | undefined): PartHealth {
  if (trouble === undefined) return OK
  return degraded('order-failing', `strong keys are refused or wait: ${trouble.message}`, { code: trouble.code })
}

/** As bad as the worst of them, with the reasons of all. */
function all(parts: readonly PartHealth[]): PartHealth {
  const worst = Math.max(0, ...parts.map(({ state }) => STATES.indexOf(state)))
  return worst === 0 ? OK : { state: STATES[worst] ?? 'failed', reasons: parts.flatMap(({ reasons }) => reasons) }
}

function waiting(code: HealthReasonCode, message: string, details?: HealthReason['details']): PartHealth {
  return part('waiting', { code, message, ...(details === undefined ? {} : { details }) })
}

function degraded(code: HealthReasonCode, message: string, details?: HealthReason['details']): PartHealth {
  return part('degraded', { code, message, ...(details === undefined ? {} : { details }) })
}

function part(state: PartHealth['state'], reason: HealthReason): PartHealth {
  return { state, reasons: [reason] }
}
