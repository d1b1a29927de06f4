/** Topics: their names, and how one is made. */
import { asError } from '../../crdt/warp-error.ts'
import { isWholeFrom, refusedOption } from '../../crdt/checked-options.ts'
import { WarpError } from '../../src/index.ts'
import { connectionError } from './connection.ts'
import { typeOfError } from './kafkajs.ts'
import type { KafkaLine, NewTopic } from './line.ts'
import type { ClusterView } from './metadata.ts'

const TOPIC = /^[A-Za-z0-9._-]{1,200}$/
/** Of Kafka: nobody may ask about the topic. */
const TOPIC_AUTHORIZATION_FAILED = 29
/** What making a topic may take. */
const MAKE_MS = 5000

/** Throws `WARP_E_CONFIG`. */
export function checkTopic(what: string, topic: unknown): void {
  if (typeof topic !== 'string' || !TOPIC.test(topic) || /^\.{1,2}$/.test(topic))
    throw refusedOption(what, 'topic', topic, "give up to 200 letters, digits, ., _ and -, such as 'orders'")
}

/** On how many brokers a topic lies that is made here. Throws `WARP_E_CONFIG`. */
export function checkReplicas(what: string, replicas: unknown): void {
  if (replicas !== undefined && !isWholeFrom(replicas, 1, 9))
    throw refusedOption(what, 'replicas', replicas, 'give a whole number from 1 to 9')
}

/** Throws what keeps topics from being asked about. */
export function refuseErrors(name: string, { errors }: ClusterView): void {
  for (const [topic, code] of errors) {
    const isDenied = code === TOPIC_AUTHORIZATION_FAILED
    const reason = isDenied ? 'the user may not describe it' : `Kafka's error ${code}`
    const message = `${name}: topic '${topic}' cannot be used: ${reason}`
    throw new WarpError(isDenied ? 'WARP_E_AUTH' : 'WARP_E_TRANSPORT', message)
  }
}

/** Makes it, unless somebody else has just done so. Throws `WARP_E_BROKER_UNFIT`, `WARP_E_AUTH`, `WARP_E_TRANSPORT`. */
export async function makeTopic(name: string, line: KafkaLine, topic: NewTopic): Promise<void> {
  try {
    await line.createTopic(topic, MAKE_MS)
  } catch (error) {
    const type = typeOfError(error)
    const message = `${name}: topic '${topic.topic}' could not be made: ${type === '' ? asError(error).message : type}`
    if (type === 'INVALID_REPLICATION_FACTOR')
      throw new WarpError('WARP_E_BROKER_UNFIT', `${message}; it needs ${topic.copies} brokers`, { cause: error })
    if (type === 'POLICY_VIOLATION' || type === 'INVALID_CONFIG')
      throw new WarpError('WARP_E_BROKER_UNFIT', `${message}; make it yourself`, { cause: error })
    throw connectionError(message, error)
  }
}
