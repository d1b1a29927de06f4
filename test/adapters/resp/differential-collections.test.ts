/** As differential.test.ts, for hashes, sets, sorted sets and lists. */
import { byExtent } from '../../support/extent.ts'
import {
  GEO_REQUESTS,
  HASH_REQUESTS,
  LIST_REQUESTS,
  NAME_RANGE_REQUESTS,
  SET_REQUESTS,
  SORTED_SET_REQUESTS,
} from '../../support/resp/collection-requests.ts'
import { compareGroups } from '../../support/resp/judged-groups.ts'
import { sequenceOf } from '../../support/resp/requests.ts'

const REQUESTS_MAX = 60

compareGroups(
  [
    ['hashes', sequenceOf(HASH_REQUESTS, REQUESTS_MAX)],
    ['sets', sequenceOf(SET_REQUESTS, REQUESTS_MAX)],
    ['sorted sets', sequenceOf(SORTED_SET_REQUESTS, REQUESTS_MAX)],
    ['ranges of names', sequenceOf(NAME_RANGE_REQUESTS, REQUESTS_MAX)],
    ['lists', sequenceOf(LIST_REQUESTS, REQUESTS_MAX)],
    ['places', sequenceOf(GEO_REQUESTS, REQUESTS_MAX)],
  ],
  byExtent({ some: 40, all: 150, soak: 10_000 }),
)
