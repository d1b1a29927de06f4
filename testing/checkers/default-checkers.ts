/** The checkers that judge every simulated run. */
import { acknowledgementChecker } from './acknowledgements.ts'
import { boundsChecker } from './bounds.ts'
import { causalityChecker } from './causality.ts'
import type { CheckerFactory } from './checker.ts'
import { compactionChecker } from './compaction.ts'
import { convergenceChecker } from './convergence.ts'
import { counterChecker } from './counters.ts'
import { knownChangesChecker } from './data/known-changes.ts'
import { leaseChecker } from './data/leases.ts'
import { rowChecker } from './data/rows.ts'
import { storedReadsChecker } from './data/stored-reads.ts'
import { formatChecker } from './formats.ts'
import { logChecker } from './logs.ts'
import { memberChecker } from './members.ts'
import { monotonicReadsChecker } from './monotonic-reads.ts'
import { pastChecker } from './past.ts'
import { readYourWritesChecker } from './read-your-writes.ts'
import { removalChecker } from './removals.ts'
import { transferChecker } from './transfers.ts'
import { strongStateChecker } from './strong/equal-strong.ts'
import { fenceChecker } from './strong/fenced.ts'
import { holderChecker } from './strong/held.ts'
import { isolationChecker } from './strong/isolated.ts'
import { linearizabilityChecker } from './strong/linearizable.ts'
import { outcomeChecker } from './strong/outcomes.ts'
import { sumChecker } from './strong/sums.ts'
import { sessionChecker } from './strong/sessions.ts'
import { tokenChecker } from './strong/tokens.ts'
import { versionChecker } from './strong/versions.ts'

export function defaultCheckers(): readonly CheckerFactory[] {
  return [
    ...[convergenceChecker, acknowledgementChecker, counterChecker, removalChecker, transferChecker],
    ...[causalityChecker, readYourWritesChecker, monotonicReadsChecker],
    ...[pastChecker, compactionChecker, boundsChecker, logChecker, formatChecker, memberChecker],
  ]
}

/** Those of a run that keeps its data elsewhere. */
export function dataCheckers(): readonly CheckerFactory[] {
  return [
    ...[convergenceChecker, boundsChecker, logChecker, formatChecker, memberChecker],
    ...[knownChangesChecker, leaseChecker, rowChecker, storedReadsChecker],
  ]
}

/** Those of a run with an ordered log. */
export function orderCheckers(): readonly CheckerFactory[] {
  return [
    ...[convergenceChecker, acknowledgementChecker, counterChecker, boundsChecker, logChecker, memberChecker],
    ...[linearizabilityChecker, versionChecker, sumChecker, isolationChecker, outcomeChecker],
    ...[tokenChecker, fenceChecker, holderChecker, strongStateChecker, sessionChecker],
  ]
}
