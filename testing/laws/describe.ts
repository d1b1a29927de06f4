/**
 * Values and operations in the words of a report: as one would write them in a program, and not
 * longer than a line.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { hasObserved, type VerbCall, type LawOperation } from './law-operation.ts'

const TEXT_LENGTH_MAX = 160

/** `{ a: [1, "x"] }`. What is no payload is shown by its kind: a function, say. */
export function describeEncodable(value: unknown): string {
  const text = literal(value as Encodable)
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX - 1)}…`
}

function literal(value: Encodable): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (Object.is(value, -0)) return '-0'
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? 'a function' : String(value)
  if (value instanceof Uint8Array) return `bytes [${[...value].join(', ')}]`
  if (isDate(value)) return `Date(${value.getTime()})`
  if (Array.isArray(value)) return `[${(value as readonly Encodable[]).map(literal).join(', ')}]`
  const fields = Object.entries(value).map(([name, entry]) => `${name}: ${literal(entry as Encodable)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}

function isDate(value: object): value is { getTime(): number } {
  return 'getTime' in value && 'toISOString' in value
}

/** `b2`: the second operation of replica b. */
export function nameOf({ replica, sequence }: Pick<LawOperation, 'replica' | 'sequence'>): string {
  return `${replica.slice(0, 1)}${sequence}`
}

/** `add("x", 3)`, as it was called. */
export function describeIntent({ verb, parameters }: VerbCall): string {
  return `${verb}(${parameters.map(describeEncodable).join(', ')})`
}

function describeWrite({ intent, isDelete, payload }: LawOperation): string {
  if (isDelete) return 'delete'
  return intent === undefined ? `payload ${describeEncodable(payload)}` : describeIntent(intent)
}

/** A line per operation: who wrote it, when by its clock, and having seen what. */
export function describeOperations(operations: readonly LawOperation[]): string[] {
  const rows = operations.map((operation) => [nameOf(operation), describeWrite(operation), stampOf(operation)])
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => (row[column] as string).length)))
  return operations.map((operation, i) => {
    const cells = (rows[i] as string[]).map((cell, column) => cell.padEnd(widths[column] as number))
    return `${cells.join('  ')}  ${seenBy(operation, operations)}`
  })
}

function stampOf({ hlc, replica }: LawOperation): string {
  return `by ${replica.slice(0, 1)}, stamped ${hlc},`
}

function seenBy(operation: LawOperation, operations: readonly LawOperation[]): string {
  const seen = operations.filter((other) => other !== operation && hasObserved(operation, other))
  return `having seen ${seen.length === 0 ? 'nothing' : namesOf(seen)}`
}

export function namesOf(operations: readonly LawOperation[]): string {
  return operations.length === 0 ? 'nothing' : operations.map(nameOf).join(', ')
}
