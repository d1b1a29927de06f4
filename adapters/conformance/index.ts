/** `warp-engine/conformance`: the suites that implementations of the ports pass. */
export { logFilesSuite } from './log-files.ts'
export type { LogFilesSubject, LogFilesSuiteOptions } from './log-files.ts'
export { transportSuite } from './transport.ts'
export type { TransportSubject, TransportSuiteOptions } from './transport.ts'
export { primaryStoreSuite } from './primary-store/suite.ts'
export type { PrimaryStoreSuiteOptions } from './primary-store/suite.ts'
export type { PrimaryStoreSubject } from './primary-store/place.ts'
