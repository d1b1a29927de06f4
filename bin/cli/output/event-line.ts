/**
 * An event of the engine as a line, and as JSON. Every field is shown but the error's stack; events
 * carry no values.
 */
import type { WarpEvent } from '../../../adapters/node/index.ts'
import { failureOf } from '../program/failure.ts'
import { toJson, type Json } from '../../../src/control/tagged-json.ts'
import { ReplicaNames } from './replica-names.ts'
import { printable, showCell } from '../values.ts'

const NOBODY_KNOWN = new ReplicaNames([])

export function eventLine({ kind, ...fields }: WarpEvent, names: ReplicaNames = NOBODY_KNOWN): string {
  return [kind, ...Object.entries(fields).map(([name, value]) => `${name}=${shown(name, value, names)}`)].join(' ')
}

export function eventJson({ kind, ...fields }: WarpEvent): { readonly [name: string]: Json } {
  return { event: kind, ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, json(value)])) }
}

/** Fields that hold the id of a replica. */
const IDS: ReadonlySet<string> = new Set(['replica', 'from', 'to'])

function shown(field: string, value: unknown, names: ReplicaNames): string {
  if (value instanceof Error) {
    const { code, message } = failureOf(value)
    return `(${printable(`${code}: ${message}`)})`
  }
  if (isPeer(value)) {
    const { transport, address, replica, name } = value
    const who = name ?? (replica === undefined ? '' : names.replica(replica))
    return printable([transport, address, who].filter((part) => part !== '').join(' '))
  }
  if (isDot(value)) return names.dot(value)
  if (IDS.has(field) && typeof value === 'string') return names.replica(value)
  return typeof value === 'string' ? printable(value) : showCell(value)
}

function json(value: unknown): Json {
  if (!(value instanceof Error)) return toJson(value)
  const { code, message } = failureOf(value)
  return { code, message }
}

function isPeer(value: unknown): value is { transport: string; address: string; replica?: string; name?: string } {
  return typeof value === 'object' && value !== null && 'transport' in value && 'address' in value
}

function isDot(value: unknown): value is { replica: string; sequence: number } {
  return typeof value === 'object' && value !== null && 'replica' in value && 'sequence' in value
}
