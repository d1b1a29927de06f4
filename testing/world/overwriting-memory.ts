/**
 * Memory for logs whose freed bytes are overwritten at once: who still looks at a record that was
 * freed reads garbage, and the test fails.
 */
import type { LogMemory } from '../../src/ports/platform.ts'

/** No kind of record, no version of an envelope, and no length that fits. */
const GARBAGE = 0xdb

export const OVERWRITING_MEMORY: LogMemory = {
  allocate: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
  freed: (bytes) => void bytes.fill(GARBAGE),
}
