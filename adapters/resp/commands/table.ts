/** All commands, group by group. */
import { CommandTable } from '../call/command-table.ts'
import { ACL_COMMANDS } from './admin/acl.ts'
import { CONFIG_COMMANDS } from './admin/config.ts'
import { OVERSIGHT_COMMANDS } from './admin/oversight.ts'
import { BITMAP_COMMANDS } from './bits/bitmaps.ts'
import { BIT_FIELD_COMMANDS } from './bits/bit-fields.ts'
import { HASH_COMMANDS } from './collections/hashes.ts'
import { LIST_WAIT_COMMANDS } from './collections/list-waits.ts'
import { LIST_COMMANDS } from './collections/lists.ts'
import { SET_COMMANDS } from './collections/sets.ts'
import { GEO_COMMANDS } from './geo/geo.ts'
import { GENERIC_COMMANDS } from './keys/generic.ts'
import { LISTING_COMMANDS } from './keys/listing.ts'
import { STRING_COMMANDS } from './keys/strings.ts'
import { HYPERLOGLOG_COMMANDS } from './registers/hyperloglogs.ts'
import { CONNECTION_COMMANDS } from './service/connection.ts'
import { PUB_SUB_COMMANDS } from './service/pub-sub.ts'
import { SCRIPTING_COMMANDS } from './service/scripting.ts'
import { SERVER_COMMANDS } from './service/server.ts'
import { TRANSACTION_COMMANDS } from './service/transactions.ts'
import { SORTED_SET_ALGEBRA_COMMANDS } from './sorted-sets/algebra.ts'
import { SORTED_SET_POP_COMMANDS } from './sorted-sets/pops.ts'
import { SORTED_SET_RANGE_COMMANDS } from './sorted-sets/range-commands.ts'
import { SORTED_SET_COMMANDS } from './sorted-sets/sorted-sets.ts'
import { STREAM_GROUP_COMMANDS } from './streams/group-commands.ts'
import { STREAM_INFO_COMMANDS } from './streams/info.ts'
import { STREAM_PENDING_COMMANDS } from './streams/pending.ts'
import { STREAM_READ_COMMANDS } from './streams/reads.ts'
import { STREAM_COMMANDS } from './streams/streams.ts'
import { WAIT_COMMANDS } from './service/waits.ts'
import { WARP_COMMANDS } from './service/warp.ts'

export function commandTable(): CommandTable {
  return new CommandTable([
    ...CONNECTION_COMMANDS,
    ...SERVER_COMMANDS,
    ...CONFIG_COMMANDS,
    ...ACL_COMMANDS,
    ...OVERSIGHT_COMMANDS,
    ...PUB_SUB_COMMANDS,
    ...TRANSACTION_COMMANDS,
    ...SCRIPTING_COMMANDS,
    ...GENERIC_COMMANDS,
    ...LISTING_COMMANDS,
    ...STRING_COMMANDS,
    ...BITMAP_COMMANDS,
    ...BIT_FIELD_COMMANDS,
    ...HYPERLOGLOG_COMMANDS,
    ...HASH_COMMANDS,
    ...LIST_COMMANDS,
    ...LIST_WAIT_COMMANDS,
    ...SET_COMMANDS,
    ...SORTED_SET_COMMANDS,
    ...GEO_COMMANDS,
    ...SORTED_SET_RANGE_COMMANDS,
    ...SORTED_SET_ALGEBRA_COMMANDS,
    ...SORTED_SET_POP_COMMANDS,
    ...STREAM_COMMANDS,
    ...STREAM_READ_COMMANDS,
    ...STREAM_GROUP_COMMANDS,
    ...STREAM_PENDING_COMMANDS,
    ...STREAM_INFO_COMMANDS,
    ...WAIT_COMMANDS,
    ...WARP_COMMANDS,
  ])
}
