/** The streams of a log: one for each partition, one for snapshots. Made where they are not there; never changed. */
import { createHash } from 'node:crypto'
import { JetStreamApiError, type JetStreamManager, type StreamConfig, type StreamInfo } from '@nats-io/jetstream'
import type { ServerInfo } from '@nats-io/transport-node'
import { WarpError } from '../../../src/index.ts'
import { randomHex } from '../../broker/platform-clock.ts'
import { refuseUnaccepted, type Shortcoming, streamShortcomings, versionShortcoming } from './fitness.ts'
import type { NatsOrderedLogSettings, NatsShortcoming } from './options.ts'

/** Stands in the metadata of the first one. */
const PARTITIONS = 'warp.partitions'
const STREAM_NOT_FOUND = 10_059
/** Another replica was faster: name in use with another configuration. */
const NAME_IN_USE = 10_058
/** The servers have no leader, or none yet. */
const UNSETTLED: readonly number[] = [10_008, 10_009, 10_010]
const NO_LIMIT = -1

/**
 * Its subject ends with its identity, which is drawn when it is made: a stream that was made in its
 * place does not take what is meant for this one.
 */
export interface PartitionStream {
  readonly stream: string
  readonly subject: string
  readonly identity: string
}

export interface LogStreams {
  readonly partitions: readonly PartitionStream[]
  readonly snapshots: string
  readonly accepted: readonly NatsShortcoming[]
  /** On how many servers each record lies, at least. */
  readonly copies: number
  readonly isInMemory: boolean
}

export interface StreamsContext {
  readonly settings: NatsOrderedLogSettings
  readonly manager: JetStreamManager
  readonly server: ServerInfo
}

interface Wanted {
  readonly stream: string
  /** Where it is made here. */
  readonly subject: string
  /** Where it is there; the first group is its identity. */
  readonly subjects: RegExp
}

function partitionStream(stream: string, partition: number): string {
  return `${stream}-${partition}`
}

/** Between two looks for a stream that has just been made. */
const LOOK_AGAIN_MS = 100

/** Rejects with `WARP_E_BROKER_UNFIT`, `WARP_E_CONFIG` and `WARP_E_TRANSPORT`. */
export async function openStreams(context: StreamsContext): Promise<LogStreams> {
  const { settings, server } = context
  const { stream, partitions, accept, replicas, name } = settings
  const wanted = Array.from({ length: partitions }, (_, partition) => wantedPartition(context, partition))
  const snapshots: Wanted = {
    stream: `${stream}-snapshots`,
    subject: `${stream}.snapshots.>`,
    subjects: new RegExp(`^${stream}\\.snapshots\\.>$`),
  }
  // Before anything is made.
  const early = versionShortcoming(server.version, copiesToMake(context))
  if (early !== undefined) refuseUnaccepted(name, [early], accept)
  await refuseOtherPartitions(context)
  const infos: StreamInfo[] = []
  const accepted = new Set<NatsShortcoming>()
  for (const one of [...wanted, snapshots]) {
    const info = await openStream(context, one)
    const found: Shortcoming[] = streamShortcomings(info, one, replicas)
    const unfit = versionShortcoming(server.version, info.config.num_replicas)
    if (unfit !== undefined) found.push(unfit)
    for (const by of refuseUnaccepted(`stream '${one.stream}'`, found, accept)) accepted.add(by)
    infos.push(info)
  }
  return {
    partitions: wanted.map((one, partition) => partitionOf(one, infos[partition]!)),
    snapshots: snapshots.stream,
    accepted: [...accepted],
    copies: Math.min(...infos.map(({ config }) => config.num_replicas)),
    isInMemory: infos.some(({ config }) => config.storage !== 'file'),
  }
}

function wantedPartition({ settings }: StreamsContext, partition: number): Wanted {
  const { stream, clock } = settings
  return {
    stream: partitionStream(stream, partition),
    subject: `${stream}.${partition}.${randomHex(clock, 8)}`,
    subjects: new RegExp(`^${stream}\\.${partition}\\.([0-9a-f]{16})$`),
  }
}

function partitionOf({ stream, subjects }: Wanted, { config }: StreamInfo): PartitionStream {
  const [subject = '', identity = ''] = subjects.exec(config.subjects[0] ?? '') ?? []
  return { stream, subject, identity }
}

/** One name for all of them: if one is made anew, it is another log. */
export function identityOfLog(partitions: readonly PartitionStream[]): string {
  const [first] = partitions
  if (partitions.length === 1) return first!.identity
  const hash = createHash('sha256').update(partitions.map(({ identity }) => identity).join())
  return hash.digest('hex').slice(0, 16)
}

/** `undefined` if there is no such stream. */
export async function streamInfo(
  manager: JetStreamManager,
  stream: string,
  details?: { readonly deleted_details?: boolean },
): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(stream, details)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined
    throw error
  }
}

function copiesToMake({ settings, server }: StreamsContext): number {
  return settings.replicas ?? (server.cluster === undefined ? 1 : 3)
}

/** The number of partitions is fixed: records would be looked for where they are not. */
async function refuseOtherPartitions({ settings, manager }: StreamsContext): Promise<void> {
  const { stream, partitions, name } = settings
  const first = await streamInfo(manager, partitionStream(stream, 0))
  const said = Number(first?.config.metadata?.[PARTITIONS] ?? partitions)
  const further = await streamInfo(manager, partitionStream(stream, partitions))
  if (said === partitions && further === undefined) return
  const there = said === partitions ? `more than ${partitions}` : String(said)
  const message = `${name} has ${there} partitions, and ${partitions} are asked for; give as many as it has, or another stream`
  throw new WarpError('WARP_E_CONFIG', message, { details: { option: 'partitions' } })
}

/**
 * Looks first: asking to make a stream that is there is not harmless, for some versions take its time
 * of creation anew (nats-server#8449).
 */
async function openStream(context: StreamsContext, wanted: Wanted): Promise<StreamInfo> {
  const { settings, manager } = context
  const there = await streamInfo(manager, wanted.stream)
  if (there !== undefined) return there
  if (!settings.create) {
    const how = `nats stream add ${wanted.stream} --subjects='${wanted.subject}' --discard=new --storage=file --defaults`
    throw unfit(`there is no stream '${wanted.stream}', and create is false; ${how}`)
  }
  try {
    await manager.streams.add(configOf(context, wanted))
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || UNSETTLED.includes(error.code)) throw error
    // Of several replicas that make it, one is the first.
    if (error.code !== NAME_IN_USE) throw unfit(`stream '${wanted.stream}' cannot be made: ${error.message}`, error)
  }
  // Servers of a cluster hear of it one after the other.
  const { clock, timeoutMs } = settings
  const until = clock.monotonic() + timeoutMs
  do {
    const made = await streamInfo(manager, wanted.stream)
    if (made !== undefined) return made
    await new Promise<void>((resolve) => clock.schedule(LOOK_AGAIN_MS, resolve))
  } while (clock.monotonic() < until)
  throw new WarpError('WARP_E_TRANSPORT', `stream '${wanted.stream}' was made and is not there; try again`)
}

function configOf(context: StreamsContext, { stream, subject }: Wanted): Partial<StreamConfig> & { name: string } {
  return {
    name: stream,
    subjects: [subject],
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    num_replicas: copiesToMake(context),
    ...{ max_age: 0, max_msgs: NO_LIMIT, max_bytes: NO_LIMIT, max_msgs_per_subject: NO_LIMIT, max_msg_size: NO_LIMIT },
    allow_rollup_hdrs: false,
    // Nobody deletes one record; a trim is a purge up to a place.
    deny_delete: true,
    deny_purge: false,
    allow_direct: false,
    metadata: { [PARTITIONS]: String(context.settings.partitions) },
  }
}

function unfit(message: string, cause?: unknown): WarpError {
  return new WarpError('WARP_E_BROKER_UNFIT', message, { cause })
}
