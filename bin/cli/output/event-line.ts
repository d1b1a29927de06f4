/** An event of the engine as a line, and as JSON. Every field is shown but the error's stack; events carry no values. */
import type { WarpEvent } from '../../../adapters/node/index.ts'
import { failureOf } from '../program/failure.ts'
import { toJson, type Json } from '../../../src/control/tagged-json.ts'
import { printable, showCell } from '../values.ts'

export function eventLine({ kind, ...fields }: WarpEvent): string {
  return [kind, ...Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`)].join(' ')
}

export function eventJson({ kind, ...fields }: WarpEvent): { readonly [name: string]: Json } {
  return { event: kind, ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, json(value)])) }
}

function shown(value: unknown): string {
  if (value instanceof Error) {
    const { code, message } = failureOf(value)
    return `(${printable(`${code}: ${message}`)})`
  }
  if (isPeer(value)) return printable([value.transport, value.address, value.replica].filter(Boolean).join(' '))
  return typeof value === 'string' ? printable(value) : showCell(value)
}

function json(value: unknown): Json {
  if (!(value instanceof Error)) return toJson(value)
  const { code, message } = failureOf(value)
  return { code, message }
}

function isPeer(value: unknown): value is { transport: string; address: string; replica?: string } {
  return typeof value === 'object' && value !== null && 'transport' in value && 'address' in value
}
