/** Whether a topic can keep what an ordered log promises, by its settings and by where it lies. */
import { WarpError } from '../../../src/index.ts'
import type { TopicView } from '../metadata.ts'
import type { KafkaShortcoming } from './options.ts'

export interface Shortcoming {
  /** By which it may be accepted. */
  readonly name?: KafkaShortcoming
  readonly reason: string
  /** What to set. */
  readonly remedy: string
}

/** The settings that are looked at. */
export const SETTINGS = {
  policy: 'cleanup.policy',
  ms: 'retention.ms',
  bytes: 'retention.bytes',
  inSync: 'min.insync.replicas',
  unclean: 'unclean.leader.election.enable',
  time: 'message.timestamp.type',
  compression: 'compression.type',
  largest: 'max.message.bytes',
  flush: 'flush.messages',
} as const

export type Settings = ReadonlyMap<string, string>

/** Of a copy that has not yet said that it has a record, nothing is lost while another one has it. */
const COPIES_MIN = 3
const IN_SYNC_MIN = 2
/** The client reads no others. */
const READABLE = new Set(['producer', 'uncompressed', 'gzip'])
/** A record could not have a value of 1 MiB, but what is smaller than this is no log. */
const LARGEST_MIN = 64 * 1024

/** The settings of a topic that is made here. */
export function settingsToMake(copies: number, largestBytes: number): Readonly<Record<string, string>> {
  return {
    [SETTINGS.policy]: 'delete',
    [SETTINGS.ms]: '-1',
    [SETTINGS.bytes]: '-1',
    [SETTINGS.inSync]: String(Math.min(IN_SYNC_MIN, copies)),
    [SETTINGS.unclean]: 'false',
    [SETTINGS.time]: 'LogAppendTime',
    [SETTINGS.compression]: 'producer',
    [SETTINGS.largest]: String(largestBytes),
  }
}

export function copiesOf({ partitions }: TopicView): number {
  return Math.min(...partitions.map(({ copies }) => copies))
}

export function shortcomings(view: TopicView, settings: Settings): Shortcoming[] {
  return [...unworkable(settings), ...acceptable(view, settings)]
}

function unworkable(settings: Settings): Shortcoming[] {
  const said = (name: string): string => settings.get(name) ?? 'unknown'
  const found: Shortcoming[] = []
  if (said(SETTINGS.time) !== 'LogAppendTime')
    found.push({
      reason: "the clocks of writers date its records, and not the broker's",
      remedy: `set ${SETTINGS.time}=LogAppendTime`,
    })
  if (!READABLE.has(said(SETTINGS.compression)))
    found.push({
      reason: `its records are compressed by ${said(SETTINGS.compression)}, which the client does not read`,
      remedy: `set ${SETTINGS.compression}=producer`,
    })
  if (!(Number(said(SETTINGS.largest)) >= LARGEST_MIN))
    found.push({
      reason: `its largest message has ${said(SETTINGS.largest)} bytes`,
      remedy: `set ${SETTINGS.largest}=4195328`,
    })
  return found
}

function acceptable(view: TopicView, settings: Settings): Shortcoming[] {
  const said = (name: string): string => settings.get(name) ?? 'unknown'
  const found: Shortcoming[] = []
  const [copies, inSync] = [copiesOf(view), Number(said(SETTINGS.inSync))]
  if (copies < COPIES_MIN)
    found.push({
      name: 'replicas',
      reason: `its records lie on ${copies} of the ${COPIES_MIN} brokers that are needed`,
      remedy: `give it ${COPIES_MIN} replicas`,
    })
  else if (!(inSync >= IN_SYNC_MIN))
    found.push({
      name: 'replicas',
      reason: `${SETTINGS.inSync} is ${said(SETTINGS.inSync)}, so a record is acknowledged that one broker alone has`,
      remedy: `set ${SETTINGS.inSync}=${IN_SYNC_MIN}`,
    })
  if (said(SETTINGS.unclean) !== 'false')
    found.push({
      name: 'election',
      reason: 'a broker that lacks acknowledged records may lead it',
      remedy: `set ${SETTINGS.unclean}=false`,
    })
  const drops = Object.entries({ [SETTINGS.policy]: 'delete', [SETTINGS.ms]: '-1', [SETTINGS.bytes]: '-1' })
    .filter(([name, wanted]) => said(name) !== wanted)
    .map(([name, wanted]) => [`${name}=${said(name)}`, `${name}=${wanted}`] as const)
  if (drops.length > 0)
    found.push({
      name: 'retention',
      reason: `${drops.map(([is]) => is).join(' and ')} would drop records that nobody has read`,
      remedy: `set ${drops.map(([, wanted]) => wanted).join(', ')}`,
    })
  return found
}

/** Throws `WARP_E_BROKER_UNFIT` unless all are accepted; returns the names of those. */
export function refuseUnaccepted(
  what: string,
  found: readonly Shortcoming[],
  accepted: readonly KafkaShortcoming[],
): KafkaShortcoming[] {
  return found.map(({ name, reason, remedy }) => {
    if (name !== undefined && accepted.includes(name)) return name
    const way = name === undefined ? '' : `, or accept it by acceptUnfit: ['${name}']`
    throw new WarpError('WARP_E_BROKER_UNFIT', `${what} cannot be an ordered log: ${reason}; ${remedy}${way}`, {
      details: { shortcoming: name, reason },
    })
  })
}
