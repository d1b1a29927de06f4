/** Values and intents as text: for comparing, for the trace and for people. */
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import { encode } from '../../../crdt/encoding/encoding.ts'
import type { Warp, WarpEvent } from '../../../src/api/public.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { Shown } from '../../checkers/checker.ts'
import { codeOf } from '../machine.ts'
import type { DataIntent } from '../data/data-intent.ts'
import { isOrderIntent } from '../order/order-intent.ts'
import { textOfOrderAnswer, textOfOrderIntent } from '../order/order-text.ts'
import { isTransferIntent, textOfTransfer } from '../transfers.ts'
import type { CallRecord, Intent } from './run-history.ts'

/** What a replica shows of a key at this moment. */
export async function shownOf(warp: Warp<KeyMap>, key: string): Promise<Shown> {
  return shownFrom(() => warp.get(key))
}

/** What a way of reading gives. */
export async function shownFrom(read: () => unknown): Promise<Shown> {
  try {
    const value = await read()
    return value === undefined ? { kind: 'absent' } : { kind: 'value', value, text: textOfValue(value) }
  } catch (error) {
    return { kind: 'error', code: codeOf(error) }
  }
}

export function isSameShown(a: Shown | undefined, b: Shown | undefined): boolean {
  if (a?.kind === 'value' && b?.kind === 'value') return a.text === b.text
  if (a?.kind === 'error' && b?.kind === 'error') return a.code === b.code
  return a?.kind === b?.kind
}

export function textOfShown(shown: Shown | undefined): string {
  if (shown === undefined || shown.kind === 'absent') return 'nothing'
  return shown.kind === 'error' ? shown.code : shortly(shown.value)
}

/**
 * Equal for equal values and different for different ones: the canonical bytes, one character each.
 */
export function textOfValue(value: unknown): string {
  return Array.from(encode(plain(value)), (byte) => String.fromCharCode(byte)).join('')
}

export function textOfIntent(intent: Intent): string {
  if (isOrderIntent(intent)) return textOfOrderIntent(intent)
  if (isTransferIntent(intent)) return textOfTransfer(intent)
  switch (intent.kind) {
    case 'write':
      return `${intent.key} ${intent.verb}(${intent.parameters.map(shortly).join(', ')}) ${intent.ack ?? ''}`.trimEnd()
    case 'delete':
      return `delete ${intent.key} ${intent.ack ?? ''}`.trimEnd()
    case 'getAt':
      return `getAt ${intent.key} ${shortly(intent.at)}`
    case 'read':
    case 'log':
      return `${intent.kind} ${intent.key}`
    case 'compact':
      return 'compact'
    case 'watch':
      return `watch ${intent.pattern}`
    default:
      return textOfDataIntent(intent)
  }
}

function textOfDataIntent(intent: DataIntent): string {
  switch (intent.kind) {
    case 'getOrSet':
    case 'forget':
      return `${intent.kind} ${intent.key}`
    case 'change':
      return `${intent.key} changes, ${intent.said === undefined ? 'and nobody is told' : `told by ${intent.said}`}`
    case 'grant':
      return `grant lease ${intent.lease} for ${intent.ttlMs} ms`
    case 'attach':
      return `attach ${intent.target} to lease ${intent.lease}`
    case 'renew':
      return `renew lease ${intent.lease}`
    case 'revoke':
      return `${intent.keys.join(', ')} changes, told by the end of lease ${intent.lease}`
  }
}

const READING: readonly Intent['kind'][] = ['read', 'getAt', 'getOrSet']

/** What a call of `textOfIntent` read. */
export function textOfAnswer({ intent, outcome, value }: CallRecord): string {
  if (outcome !== 'ok') return ''
  if (isOrderIntent(intent)) return textOfOrderAnswer(value)
  if (intent.kind === 'log') return `, operations: ${(value as readonly unknown[]).length}`
  return READING.includes(intent.kind) ? ` = ${shortly(value)}` : ''
}

/** Its kind and its plain fields. */
export function textOfEvent(event: WarpEvent): string {
  const fields = Object.entries(event).flatMap(([name, value]: [string, unknown]) => {
    if (value instanceof Error) return [`${name}: ${value.message}`]
    return name !== 'kind' && (typeof value === 'string' || typeof value === 'number') ? [`${name}: ${value}`] : []
  })
  return [event.kind, ...fields].join(', ')
}

const SHORT_MAX = 60

export function shortly(value: unknown): string {
  const text = jsonOf(value)
  return text.length > SHORT_MAX ? `${text.slice(0, SHORT_MAX)}…` : text
}

/** Of anything at all, for a workload may give anything. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value, (_, inner: unknown) => asJson(inner)) ?? typeof value
  } catch {
    return `an ${typeof value} without an end`
  }
}

function asJson(value: unknown): unknown {
  if (value instanceof Set) return [...(value as Set<unknown>)]
  if (value instanceof Uint8Array) return [...value]
  return typeof value === 'bigint' ? `${value}n` : value
}

/** With lists in the place of sets: their order is the same on all replicas. */
function plain(value: unknown): Encodable {
  if (value instanceof Set) return [...(value as Set<Encodable>)]
  if (Array.isArray(value)) return value.map(plain)
  // Dates and bytes are encoded as what they are.
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value as Encodable
  return Object.entries(value).map(([name, entry]) => [name, plain(entry)])
}
