/** All commands, group by group. */
import { CommandTable } from '../call/command-table.ts'
import { GENERIC_COMMANDS } from './keys/generic.ts'
import { LISTING_COMMANDS } from './keys/listing.ts'
import { STRING_COMMANDS } from './keys/strings.ts'
import { CONNECTION_COMMANDS } from './service/connection.ts'
import { PUB_SUB_COMMANDS } from './service/pub-sub.ts'
import { SCRIPTING_COMMANDS } from './service/scripting.ts'
import { SERVER_COMMANDS } from './service/server.ts'
import { TRANSACTION_COMMANDS } from './service/transactions.ts'

export function commandTable(): CommandTable {
  return new CommandTable([
    ...CONNECTION_COMMANDS,
    ...SERVER_COMMANDS,
    ...PUB_SUB_COMMANDS,
    ...TRANSACTION_COMMANDS,
    ...SCRIPTING_COMMANDS,
    ...GENERIC_COMMANDS,
    ...LISTING_COMMANDS,
    ...STRING_COMMANDS,
  ])
}
