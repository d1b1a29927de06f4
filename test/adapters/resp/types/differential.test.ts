/** As ../differential.test.ts, for bits, HyperLogLogs and streams. */
import { byExtent } from '../../../support/extent.ts'
import { BIT_REQUESTS } from '../../../support/resp/bit-requests.ts'
import { compareGroups } from '../../../support/resp/judged-groups.ts'
import { sequenceOf } from '../../../support/resp/requests.ts'
import { HYPERLOGLOG_REQUESTS, STREAM_REQUESTS } from '../../../support/resp/stream-requests.ts'

const REQUESTS_MAX = 60

compareGroups(
  [
    ['bits', sequenceOf(BIT_REQUESTS, REQUESTS_MAX)],
    ['HyperLogLogs', sequenceOf(HYPERLOGLOG_REQUESTS, REQUESTS_MAX)],
    ['streams', sequenceOf(STREAM_REQUESTS, REQUESTS_MAX)],
  ],
  byExtent({ some: 60, all: 300, soak: 10_000 }),
)
