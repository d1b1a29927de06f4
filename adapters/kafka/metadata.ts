/**
 * The question which topics there are, where they are led, and as whom: version 12 of `Metadata`, which
 * names the id that a topic got when it was made. The client knows no version above 6.
 *
 * Question: tags, topics (id of 16 bytes, name, tags), whether to make them, whether to say what is
 * allowed, tags. Answer: tags, throttle (4 bytes), brokers (id, host, port, rack, tags), cluster,
 * controller, topics (error, name, id, whether it is internal, partitions (error, number, leader, term,
 * copies, those in sync, those away, tags), what is allowed, tags), tags.
 */
import type { Decoder, KafkajsParts, Protocol } from './kafkajs.ts'

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface PartitionView {
  readonly partition: number
  /** Id of the broker, or -1. */
  readonly leader: number
  /** Rises with each election. */
  readonly epoch: number
  readonly copies: number
}

export interface TopicView {
  readonly topic: string
  /** 32 hexadecimal digits, drawn when the topic was made. */
  readonly id: string
  readonly partitions: readonly PartitionView[]
}

export interface ClusterView {
  readonly brokers: ReadonlyMap<number, BrokerAddress>
  /** Those that are there. */
  readonly topics: ReadonlyMap<string, TopicView>
  /** Error codes of Kafka of those that may not be asked about. */
  readonly errors: ReadonlyMap<string, number>
}

const METADATA = 3
const VERSION = 12
const NO_ID = Buffer.alloc(16)
const NONE = 0
const UNKNOWN_TOPIC = 3
/** It has no leader (yet): its partitions say so, too. */
const LEADER_NOT_AVAILABLE = 5

export function metadataRequest({ Encoder, Decoder }: KafkajsParts, topics: readonly string[]): Protocol {
  const encode = (): ReturnType<Protocol['request']['encode']> => {
    // Tags of the head, which the client does not write.
    const encoder = new Encoder().writeUVarInt(0).writeUVarInt(topics.length + 1)
    for (const topic of topics) encoder.writeBuffer(NO_ID).writeUVarIntString(topic).writeUVarInt(0)
    return Promise.resolve(encoder.writeBoolean(false).writeBoolean(false).writeUVarInt(0))
  }
  return {
    request: { apiKey: METADATA, apiVersion: VERSION, apiName: 'Metadata', encode },
    response: {
      decode: (bytes) => Promise.resolve(readView(new Decoder(bytes))),
      parse: (view: ClusterView) => Promise.resolve(view),
    },
  }
}

function readView(decoder: Decoder): ClusterView {
  decoder.readTaggedFields()
  decoder.readInt32()
  const brokers = new Map(decoder.readUVarIntArray(readBroker) ?? [])
  decoder.readUVarIntString()
  decoder.readInt32()
  const found = decoder.readUVarIntArray(readTopic) ?? []
  const isThere = (error: number): boolean => error === NONE || error === LEADER_NOT_AVAILABLE
  return {
    brokers,
    topics: new Map(found.filter(({ error }) => isThere(error)).map((one) => [one.topic, one])),
    errors: new Map(
      found.filter(({ error }) => !isThere(error) && error !== UNKNOWN_TOPIC).map(({ topic, error }) => [topic, error]),
    ),
  }
}

function readBroker(decoder: Decoder): [number, BrokerAddress] {
  const id = decoder.readInt32()
  const host = decoder.readUVarIntString() ?? ''
  const port = decoder.readInt32()
  decoder.readUVarIntString()
  decoder.readTaggedFields()
  return [id, { host, port }]
}

function readTopic(decoder: Decoder): TopicView & { readonly error: number } {
  const error = decoder.readInt16()
  const topic = decoder.readUVarIntString() ?? ''
  const id = decoder.readBytes(16).toString('hex')
  decoder.readBoolean()
  const partitions = decoder.readUVarIntArray(readPartition) ?? []
  decoder.readInt32()
  decoder.readTaggedFields()
  return { error, topic, id, partitions }
}

function readPartition(decoder: Decoder): PartitionView {
  decoder.readInt16()
  const partition = decoder.readInt32()
  const leader = decoder.readInt32()
  const epoch = decoder.readInt32()
  const readId = (one: Decoder): number => one.readInt32()
  const copies = decoder.readUVarIntArray(readId)?.length ?? 0
  decoder.readUVarIntArray(readId)
  decoder.readUVarIntArray(readId)
  decoder.readTaggedFields()
  return { partition, leader, epoch, copies }
}
