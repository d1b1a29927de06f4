import { describe, test } from 'vitest'
import { orderedLogSuite } from '../../../adapters/conformance/ordered-log/suite.ts'
import { memoryOrderedLog } from '../../../adapters/memory/memory-ordered-log.ts'
import {
  memoryOrderedLogOn,
  type MemoryOrderedLogSettings,
} from '../../../src/ports/ordered-memory/memory-ordered-log.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'
import { subjectOf } from '../../support/ordered-log-subject.ts'

describe('the ordered log in memory', () => {
  orderedLogSuite({ test, create: ({ partitions }) => subjectOf(memoryOrderedLog({ partitions })) })
})

describe('the ordered log in memory, in virtual time,', () => {
  for (const [kind, settings] of Object.entries<MemoryOrderedLogSettings>({
    'without troubles': {},
    'slow and out of step': { delayMs: 3, jitterMs: 20, slowMs: 5 },
    'whose answers are lost': { answersLost: 0.3, appendsLost: 0.2, answerMs: 100 },
    'that repeats records': { repeated: 0.5, redelivered: 0.5, batchRecords: 3 },
    'with holes and barriers that are records': { holes: 0.5, barriers: 'records' },
    'with everything at once': {
      ...{ delayMs: 1, jitterMs: 10, slowMs: 2, answersLost: 0.1, appendsLost: 0.1, answerMs: 100 },
      ...{ repeated: 0.2, redelivered: 0.2, holes: 0.2, batchRecords: 7, barriers: 'records' },
    },
  })) {
    describe(kind, () => {
      orderedLogSuite({
        test,
        create: ({ partitions }) => {
          const env = virtualEnv()
          return { ...subjectOf(memoryOrderedLogOn(env, { partitions, ...settings })), settle: () => env.advance(20) }
        },
      })
    })
  }
})
