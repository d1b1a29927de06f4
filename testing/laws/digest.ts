/**
 * What two replicas are compared by: the canonical bytes of the snapshot and of the value. Bytes,
 * because a state may be changed after it was looked at; and because two replicas with one value
 * and different snapshots are not equal: the next operation may tell.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { describeEncodable } from './describe.ts'

export interface Digest {
  readonly state: Uint8Array
  /** `undefined` if there is no value. */
  readonly value: Uint8Array | undefined
  /**
   * The names in the value in the order in which a reader meets them, which canonical bytes do not
   * show.
   */
  readonly names: string
}

/** Turns a value into an encodable, where it is not one. */
export type ToEncodable = (value: unknown) => Encodable

/**
 * Sets, also within records, need no `encodable`. The order of properties counts, unless there is
 * one.
 */
export function digestOf(strategy: AnyStrategy, state: unknown, encodable?: ToEncodable): Digest {
  const value: unknown = strategy.read(state)
  return {
    state: encode(strategy.encodeState(state)),
    value: bytesOfValue(value, encodable),
    names: encodable === undefined ? namesIn(value) : '',
  }
}

export function bytesOfValue(value: unknown, encodable: ToEncodable = plain): Uint8Array | undefined {
  return value === undefined ? undefined : encode(encodable(value))
}

export function isSameDigest(a: Digest, b: Digest): boolean {
  return isSameBytes(a.state, b.state) && isSameBytes(a.value, b.value) && a.names === b.names
}

export function isSameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** The values; where they are equal, the order of their properties or the snapshots. */
export function describeDifference(a: Digest, b: Digest): readonly [string, string] {
  if (!isSameBytes(a.value, b.value)) return [describeBytes(a.value), describeBytes(b.value)]
  const what = ({ names, state }: Digest): string =>
    a.names === b.names ? `in a snapshot ${describeBytes(state)}` : `with its properties in the order ${names}`
  return [`${describeBytes(a.value)}, ${what(a)}`, `${describeBytes(b.value)}, ${what(b)}`]
}

export function describeBytes(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'no value' : describeEncodable(decode(bytes))
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** With lists in the place of sets, which read values may hold at any depth in records. */
function plain(value: unknown): Encodable {
  if (value instanceof Set) return [...(value as Set<Encodable>)]
  if (!isRecord(value)) return value as Encodable
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, plain(entry)]))
}

function namesIn(value: unknown): string {
  if (!isRecord(value)) return ''
  const names = Object.entries(value).map(([name, entry]) => `${JSON.stringify(name)}${namesIn(entry)}`)
  return `(${names.join(', ')})`
}
