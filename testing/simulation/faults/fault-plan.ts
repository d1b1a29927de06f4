/**
 * Which faults a run has, and how hard: swarm testing (Groce et al. 2012). Each seed leaves out a
 * random half of what may go wrong, so that faults which hide one another are also met alone, and
 * draws how often each of the others strikes.
 */
import type { Random } from '../../world/random.ts'
import { APPLICATION_FAULTS, type ApplicationFault } from './application-faults.ts'
import { CLOCK_FAULTS, type ClockFault } from './clock-faults.ts'
import { DATA_FAULTS, type DataFault } from './data-faults.ts'
import { DISK_FAULTS, type DiskFault } from './disk-faults.ts'
import { type Fault, logUniform } from './fault.ts'
import { GIVEN_UP_FAULTS, type GivenUpFault } from './given-up.ts'
import { MEMBER_FAULTS, type MemberFault } from './member-faults.ts'
import { NETWORK_FAULTS, type NetworkFault } from './network-faults.ts'
import { ORDER_FAULTS, type OrderFault } from './order-faults.ts'
import { PROCESS_FAULTS, type ProcessFault } from './process-faults.ts'

/** What may go wrong, or is at least unusual. */
export type FaultKind =
  | NetworkFault
  | ProcessFault
  | DiskFault
  | ClockFault
  | MemberFault
  | ApplicationFault
  | GivenUpFault
  | DataFault
  | OrderFault

const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...MEMBER_FAULTS,
  ...APPLICATION_FAULTS,
  ...GIVEN_UP_FAULTS,
  ...DATA_FAULTS,
  ...ORDER_FAULTS,
}

const ALL_KINDS = Object.keys(FAULTS) as readonly FaultKind[]

/** What befalls a database and an API: only where data is kept elsewhere. */
export const DATA_FAULT_KINDS: readonly FaultKind[] = Object.keys(DATA_FAULTS) as FaultKind[]
/** What befalls an ordered log: only where there is one. */
export const ORDER_FAULT_KINDS: readonly FaultKind[] = Object.keys(ORDER_FAULTS) as FaultKind[]
/** Everything else. */
export const FAULT_KINDS: readonly FaultKind[] = ALL_KINDS.filter(
  (kind) => !Object.hasOwn(DATA_FAULTS, kind) && !Object.hasOwn(ORDER_FAULTS, kind),
)

export function faultOf(kind: FaultKind): Fault {
  return FAULTS[kind]
}

export interface PlannedFault {
  readonly kind: FaultKind
  /** Mean time between two strikes; 0 for what is there all the time. */
  readonly everyMs: number
}

/**
 * `allowed`: what may be drawn. The same seed draws the same for a kind, whatever else is allowed.
 */
export function drawFaults(random: Random, allowed: readonly FaultKind[]): PlannedFault[] {
  const share = 0.2 + random.float() * 0.6
  const planned: PlannedFault[] = []
  for (const kind of ALL_KINDS) {
    const own = random.fork(kind)
    const isDrawn = own.chance(share)
    const { everyMs } = faultOf(kind)
    const meanMs = everyMs === undefined ? 0 : logUniform(own, everyMs[0], everyMs[1])
    if (isDrawn && allowed.includes(kind)) planned.push({ kind, everyMs: meanMs })
  }
  return planned
}
