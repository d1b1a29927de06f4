/** `warp-engine/testing`: what puts a system under test, and what judges it. */
export {
  causalHistories,
  deliveryOrders,
  encodables,
  faultPlans,
  keyPatterns,
  keys,
  operationsOf,
  propertyNames,
  scalars,
} from './arbitraries.ts'
export type { EncodablesOptions, FaultPlan, HistoryOptions, VerbArbitraries } from './arbitraries.ts'
export { checkStrategy, examineStrategy } from './check-strategy.ts'
export type { CheckStrategyOptions, StrategyReport } from './check-strategy.ts'
export { pairCalls } from './history/calls.ts'
export { formatHistory, parseHistory } from './history/history-text.ts'
export type { Call, CallOutcome, EventType, History, HistoryEvent, HistoryHeader, Process } from './history/history.ts'
export type { Json } from './history/json.ts'
export { HistoryRecorder } from './history/recorder.ts'
export type { OpenCall, RecordedCall } from './history/recorder.ts'
export type { Anomaly, AnomalyName, CycleName } from './isolation/anomaly.ts'
export { checkIsolation } from './isolation/check-isolation.ts'
export type { IsolationOptions, IsolationVerdict } from './isolation/check-isolation.ts'
export type { Basis, Dependency } from './isolation/dependencies.ts'
export type { IsolationLevel } from './isolation/levels.ts'
export type { MicroOperation, Transaction, TransactionKind } from './isolation/transactions.ts'
export type { Claims, ObservedRemove } from './laws/claims.ts'
export type { Counterexample, CounterexampleOperation } from './laws/counterexample.ts'
export type { ToEncodable } from './laws/digest.ts'
export type { LawHistory, LawStep, LawWitness } from './laws/law-history.ts'
export type { LawOperation, VerbCall } from './laws/law-operation.ts'
export type { LawName } from './laws/laws.ts'
export type { ReferenceReplica, WriteAt } from './laws/reference-replica.ts'
export type { Outcome } from './laws/trial.ts'
export { checkLinearizability } from './linearizability/check-linearizability.ts'
export type {
  LinearizabilityOptions,
  LinearizabilityVerdict,
  LinearizabilityViolation,
} from './linearizability/check-linearizability.ts'
export type { Minimised } from './linearizability/minimise.ts'
export { REFUSED } from './linearizability/model.ts'
export type { SequentialModel, Step } from './linearizability/model.ts'
export {
  counterModel,
  fencedRegisterModel,
  lockModel,
  queueModel,
  registerModel,
  setModel,
} from './linearizability/models.ts'
export type { FencedState, LockState } from './linearizability/models.ts'
export type {
  CallEvent,
  Checker,
  CheckerFactory,
  LoadBounds,
  LoadEvent,
  MachineView,
  Moment,
  OrderView,
  RunEvent,
  Shown,
  RunSubject,
  Violation,
} from './checkers/checker.ts'
export { DATA_FAULT_KINDS, FAULT_KINDS, ORDER_FAULT_KINDS } from './simulation/faults/fault-plan.ts'
export type { FaultKind } from './simulation/faults/fault-plan.ts'
export type { FoundPhase, FoundViolation } from './simulation/report/found-violations.ts'
export type {
  CallOutcome as SimulatedCallOutcome,
  CallRecord,
  EngineReport,
  FencedWrite,
  Hold as SimulatedHold,
  Intent as SimulatedIntent,
  LifeEvent,
  LifeEventKind,
  RunHistory,
  SeenSum,
} from './simulation/report/run-history.ts'
export { simulate } from './simulation/simulate.ts'
export type { Explanation, SimulateOptions, Simulated } from './simulation/simulate.ts'
export { SimulationTotals } from './simulation/report/totals.ts'
export type { FaultCount } from './simulation/report/totals.ts'
export type { Workload, WorkloadMoment } from './simulation/workload.ts'
