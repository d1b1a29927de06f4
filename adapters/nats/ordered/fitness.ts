/**
 * Whether a server and its streams can keep the promise of an ordered log: what was acknowledged
 * stays, in its place, until it is trimmed. What is known not to is refused, or accepted by name.
 */
import type { StreamInfo } from '@nats-io/jetstream'
import { WarpError } from '../../../src/index.ts'
import type { NatsShortcoming } from './options.ts'

export interface Shortcoming {
  /** By which it may be accepted; absent where the log cannot work with it at all. */
  readonly name?: NatsShortcoming
  readonly reason: string
  readonly remedy: string
}

/** Streams have metadata. */
const NAMED = [2, 10, 0] as const
/** From the one to the other, streams and records are lost when processes are killed (Jepsen, NATS 2.12.1). */
const FORGETFUL = [2, 10, 20] as const
const SAFE = [2, 10, 23] as const
const UPGRADE = 'run nats-server 2.10.23 or newer'

/** `copies`: on how many servers the streams lie, or would. */
export function versionShortcoming(version: string, copies: number): Shortcoming | undefined {
  const parts = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number)
  if (parts === undefined) return outdated(`the server's version '${version}' is not understood`)
  if (isBefore(parts, NAMED)) {
    const reason = `nats-server ${version} lets two compare-and-sets win, and does not let records be trusted`
    return { reason, remedy: UPGRADE }
  }
  if (!isBefore(parts, FORGETFUL) && isBefore(parts, SAFE))
    return outdated(`nats-server ${version} forgets whole streams when it is killed`)
  if (copies > 1 && isBefore(parts, SAFE))
    return outdated(`nats-server ${version} loses acknowledged records of streams with copies`)
  return undefined
}

function outdated(reason: string): Shortcoming {
  return { name: 'version', reason, remedy: UPGRADE }
}

function isBefore(version: readonly number[], other: readonly number[]): boolean {
  const at = other.findIndex((part, i) => version[i] !== part)
  return at >= 0 && version[at]! < other[at]!
}

/** What a stream should be like: `subjects` is what the only subject that it takes looks like. */
export interface WantedStream {
  readonly subject: string
  readonly subjects: RegExp
}

/** `replicas`: how many copies were asked for. */
export function streamShortcomings(
  info: StreamInfo,
  wanted: WantedStream,
  replicas: number | undefined,
): Shortcoming[] {
  return [...unworkable(info, wanted), ...acceptable(info, replicas)]
}

function unworkable({ config }: StreamInfo, { subject, subjects }: WantedStream): Shortcoming[] {
  const { name } = config
  const [only = 'nothing', ...others] = config.subjects ?? []
  const found: (readonly [boolean, string, string])[] = [
    [
      others.length > 0 || !subjects.test(only),
      `it takes ${[only, ...others].join(', ')}, and not one subject like ${subject}`,
      `give another stream name, or nats stream edit ${name} --subjects='${subject}'`,
    ],
    [
      config.retention !== 'limits',
      `its retention is '${config.retention}': records go when they were read`,
      'make it anew with retention limits',
    ],
    [config.no_ack === true, 'it acknowledges nothing', `nats stream edit ${name} --ack`],
    [config.sealed, 'it is sealed', 'give another stream name'],
    [
      config.mirror !== undefined || (config.sources?.length ?? 0) > 0,
      'it takes records from other streams',
      'give another stream name',
    ],
    [
      config.subject_transform !== undefined,
      'it renames subjects',
      `nats stream edit ${name} without a subject transform`,
    ],
    [config.persist_mode === 'async', 'it acknowledges before it writes', 'make it anew without persist_mode async'],
    [config.first_seq > 1, `its records are counted from ${config.first_seq}`, 'make it anew without first_seq'],
  ]
  return found.flatMap(([isSo, reason, remedy]) => (isSo ? [{ reason, remedy }] : []))
}

function acceptable({ config }: StreamInfo, replicas: number | undefined): Shortcoming[] {
  const { name } = config
  const limits = evictions(config)
  const found: (readonly [boolean, NatsShortcoming, string, string])[] = [
    [config.storage !== 'file', 'memory', 'it is in memory: a restart loses all', 'make it anew with file storage'],
    [
      limits.length > 0,
      'eviction',
      `${limits.join(' and ')} would drop records that nobody has read`,
      `nats stream edit ${name} --discard=new --max-age=-1 --max-msgs-per-subject=-1`,
    ],
    [
      config.allow_rollup_hdrs,
      'rollup',
      'a message may clear it (allow_rollup_hdrs)',
      `nats stream edit ${name} --no-allow-rollup`,
    ],
    [
      replicas !== undefined && config.num_replicas < replicas,
      'replicas',
      `its records lie on ${config.num_replicas} of the ${replicas} servers that were asked for`,
      `nats stream edit ${name} --replicas=${replicas}`,
    ],
  ]
  return found.flatMap(([isSo, by, reason, remedy]) => (isSo ? [{ name: by, reason, remedy }] : []))
}

/** Limits that drop what is there. With `discard: new` those of the whole stream refuse what comes. */
function evictions(config: StreamInfo['config']): string[] {
  const dropsOld = config.discard !== 'new'
  const limits: (readonly [boolean, string])[] = [
    [config.max_age > 0, 'max_age'],
    [dropsOld && config.max_msgs > 0, 'max_msgs'],
    [dropsOld && config.max_bytes > 0, 'max_bytes'],
    [config.max_msgs_per_subject > 0 && !(config.discard_new_per_subject && !dropsOld), 'max_msgs_per_subject'],
    [config.allow_msg_ttl, 'allow_msg_ttl'],
  ]
  return limits.flatMap(([isSet, name]) => (isSet ? [name] : []))
}

/** Throws `WARP_E_BROKER_UNFIT` unless all are accepted; returns the names of those. */
export function refuseUnaccepted(
  what: string,
  found: readonly Shortcoming[],
  accept: readonly NatsShortcoming[],
): NatsShortcoming[] {
  const accepted: NatsShortcoming[] = []
  for (const { name, reason, remedy } of found) {
    if (name === undefined || !accept.includes(name)) {
      const way = name === undefined ? '' : `, or accept it by accept: ['${name}']`
      throw new WarpError('WARP_E_BROKER_UNFIT', `${what} cannot be an ordered log: ${reason}; ${remedy}${way}`, {
        details: { shortcoming: name, reason },
      })
    }
    accepted.push(name)
  }
  return accepted
}
