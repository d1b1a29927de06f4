/** How an entry goes to JetStream, and its answer comes back. */
import type { MsgHdrs } from '@nats-io/transport-node'
import { type AppenderEntry, type AppenderOptions, refusal } from '../../broker/appender.ts'
import type { Connection } from '../connection.ts'
import type { Inbox } from '../inbox.ts'
import { outcomeOf } from './answers.ts'

export interface NatsEntry extends AppenderEntry {
  readonly subject: string
  readonly headers: MsgHdrs
}

export function sendTo(connection: Connection, inbox: Inbox): AppenderOptions<NatsEntry>['send'] {
  return ({ subject, bytes, headers, stream }, answered) => {
    const place = inbox.place((message) => answered(outcomeOf(message, stream)))
    try {
      connection.nats.publish(subject, bytes, { headers, reply: place.subject })
    } catch (error) {
      // The client says so before it sends: too large for the server, or the connection was closed.
      const isLarge = bytes.length > (connection.server?.max_payload ?? Infinity) - 256
      const message = `the client does not send the record: ${error instanceof Error ? error.message : String(error)}`
      answered(refusal(isLarge ? 'WARP_E_LIMIT' : 'WARP_E_TRANSPORT', message))
    }
    return () => place.close()
  }
}
