/**
 * A payload for the eyes: JSON, with what JSON lacks as an object of one property that says what it
 * is. One way: what is read back is the envelope.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { toBase64 } from '../../crdt/encoding/base64.ts'

export function readableJson(value: Encodable | undefined): unknown {
  if (value === undefined) return null
  if (typeof value === 'bigint') return { $bigint: value.toString() }
  if (typeof value === 'number') return Number.isFinite(value) ? value : { $number: String(value) }
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) }
  if (Array.isArray(value)) return (value as readonly Encodable[]).map(readableJson)
  if ('toJSON' in value && typeof value.toJSON === 'function') return { $date: (value.toJSON as () => unknown)() }
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, readableJson(entry as Encodable)]))
}
