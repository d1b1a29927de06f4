import fc from 'fast-check'
import { byExtent } from '../../support/extent.ts'
import { compareGroups } from '../../support/resp/judged-groups.ts'
import {
  CONNECTION_REQUESTS,
  DECIMAL_REQUESTS,
  GENERIC_REQUESTS,
  STRING_REQUESTS,
  sequenceOf,
  TRANSACTIONS,
} from '../../support/resp/requests.ts'

/** Requests of one comparison. */
const REQUESTS_MAX = 60

compareGroups(
  [
    ['strings', sequenceOf(STRING_REQUESTS, REQUESTS_MAX)],
    ['sums of decimals', sequenceOf(DECIMAL_REQUESTS, REQUESTS_MAX)],
    ['keys of any type', sequenceOf(fc.oneof(STRING_REQUESTS, GENERIC_REQUESTS), REQUESTS_MAX)],
    ['connections', sequenceOf(CONNECTION_REQUESTS, REQUESTS_MAX)],
    ['transactions', TRANSACTIONS],
  ],
  byExtent({ some: 60, all: 300, soak: 20_000 }),
)
