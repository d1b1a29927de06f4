/** As differential.test.ts, for bits. */
import { byExtent } from '../../support/extent.ts'
import { BIT_REQUESTS } from '../../support/resp/bit-requests.ts'
import { compareGroups } from '../../support/resp/judged-groups.ts'
import { sequenceOf } from '../../support/resp/requests.ts'

const REQUESTS_MAX = 60

compareGroups([['bits', sequenceOf(BIT_REQUESTS, REQUESTS_MAX)]], byExtent({ some: 400, all: 1500, soak: 10_000 }))
