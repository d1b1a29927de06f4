/** How an entry of the appender goes to Kafka, and what its answer means: a place, certainly none, or nothing certain. */
import { asError, isWarpError } from '../../../crdt/warp-error.ts'
import { WarpError, type WarpErrorCode } from '../../../src/index.ts'
import type { AppendOutcome } from '../../../src/ports/ordered-log.ts'
import { type AppenderEntry, type AppenderOptions, refusal } from '../../broker/appender.ts'
import { typeOfError } from '../kafkajs.ts'
import type { Sender, Sent } from '../sender.ts'

export interface KafkaEntry extends AppenderEntry {
  readonly id: string
  readonly sender: Sender
}

/** Said before a record is stored, by its kind: where a leader goes meanwhile, nobody knows. */
const REFUSALS: Readonly<Record<string, WarpErrorCode>> = {
  NOT_ENOUGH_REPLICAS: 'WARP_E_TRANSPORT',
  MESSAGE_TOO_LARGE: 'WARP_E_LIMIT',
  RECORD_LIST_TOO_LARGE: 'WARP_E_LIMIT',
  INVALID_RECORD: 'WARP_E_LIMIT',
  TOPIC_AUTHORIZATION_FAILED: 'WARP_E_AUTH',
  CLUSTER_AUTHORIZATION_FAILED: 'WARP_E_AUTH',
}

export const sendEntry: AppenderOptions<KafkaEntry>['send'] = ({ sender, id, bytes, stream }, answered) => {
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return sender.send({ key: Buffer.from(id), value }, (sent) => answered(outcomeOf(sent, stream)))
}

function outcomeOf(sent: Sent, name: string): AppendOutcome {
  if (sent.kind === 'stored') return { kind: 'appended', offset: sent.offset + 1 }
  if (sent.kind === 'unsent') return refusal('WARP_E_TRANSPORT', `${sent.error.message}; the record was not sent`)
  const { error } = sent
  const message = `${name}: an append did not succeed: ${asError(error).message}`
  const code = REFUSALS[typeOfError(error)]
  if (code !== undefined) return refusal(code, message)
  if (isWarpError(error)) return { kind: 'unknown', error }
  const unknown = new WarpError('WARP_E_TRANSPORT', message, { cause: error, outcome: 'indeterminate' })
  return { kind: 'unknown', error: unknown }
}
