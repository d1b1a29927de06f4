import type { OrderedLogSubject } from '../../adapters/conformance/ordered-log/place.ts'
import type { MemoryOrderedLog } from '../../src/ports/ordered-memory/memory-ordered-log.ts'

/** An ordered log in memory as the conformance suite takes it, with all that an operator may do. */
export function subjectOf(log: MemoryOrderedLog): OrderedLogSubject {
  return {
    log,
    operator: {
      recreate: () => log.recreate(),
      purge: (partition) => log.purge(partition),
      rollBack: (partition, offset) => log.rollBack(partition, offset),
      disconnect: () => log.disconnect(),
      reconnect: () => log.reconnect(),
    },
  }
}
