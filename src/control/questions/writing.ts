/** Writes: whole values, deletes, and the verbs of strategies. */
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import type { Ack, ReachedAck, Receipt } from '../../store/write-road/receipt.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { flag, json, list, text } from '../parameters.ts'
import type { AnyWarp, Question } from '../question.ts'
import { fromJson, toJson, type Json } from '../tagged-json.ts'

/**
 * What became of a write: the operation's dot as replica and sequence, `null` if nothing had to be
 * written.
 */
export interface Written {
  readonly dot: { readonly replica: string; readonly sequence: number } | null
  readonly version: number
  readonly ack: ReachedAck
}

export interface WriteParameters {
  readonly key: string
  /** Waits until it is flushed to the disk, not only handed to the system. */
  readonly durable: boolean
}

const WRITE = {
  key: text('which key'),
  durable: flag('waits until the write is flushed to the disk'),
}

export interface SetParameters extends WriteParameters {
  readonly value: Json
}

export const SET: Question<SetParameters, Written> = {
  name: 'set',
  about: 'writes a whole value',
  changes: true,
  gives: 'item',
  parameters: { ...WRITE, value: json('the value, tagged') },
  async *answer(warp, { key, value, durable }, { signal }) {
    // The engine refuses what it cannot encode.
    yield written(await warp.set(key, fromJson(value) as Encodable, { ack: ackOf(durable), signal }))
  },
}

export const DELETE: Question<WriteParameters, Written> = {
  name: 'delete',
  about: 'deletes what this replica has seen of a key',
  changes: true,
  gives: 'item',
  parameters: WRITE,
  async *answer(warp, { key, durable }, { signal }) {
    yield written(await warp.delete(key, { ack: ackOf(durable), signal }))
  },
}

export interface DoParameters extends WriteParameters {
  /** A verb or a query of the key's strategy. */
  readonly verb: string
  readonly parameters: readonly Json[]
}

/** A verb was written; a query has an answer. */
export type Done = Written | { readonly value: Json }

export const DO: Question<DoParameters, Done> = {
  name: 'do',
  about: "calls a verb or a query of the key's strategy",
  changes: true,
  gives: 'item',
  parameters: {
    ...WRITE,
    verb: text('the verb or the query'),
    parameters: { ...list('what it takes, tagged'), fallback: [] },
  },
  async *answer(warp, { key, verb, parameters, durable }, { signal }) {
    const method = methodOf(warp, key, verb, { ack: ackOf(durable), signal })
    const result = await method(...parameters.map((parameter) => fromJson(parameter) as Encodable))
    yield isReceipt(result) ? written(result) : { value: toJson(result) }
  },
}

type Method = (...parameters: readonly Encodable[]) => Promise<unknown>

/**
 * A handle's own methods are the verbs and queries of its key's strategy; what all handles have is
 * inherited.
 */
function methodOf(
  warp: AnyWarp,
  key: string,
  verb: string,
  options: { readonly ack: Ack; readonly signal: AbortSignal },
): Method {
  const handle: object = warp.key(key).with(options)
  const own = Object.getPrototypeOf(handle) as Readonly<Record<string, Method>>
  const names = Object.getOwnPropertyNames(own).filter((name) => name !== 'constructor')
  if (names.includes(verb)) return (own[verb] as Method).bind(handle)
  throw new WarpError('WARP_E_MODE', `'${key}' has no verb '${verb}'; its strategy offers ${names.join(', ')}`, {
    details: { key, verb },
  })
}

function ackOf(durable: boolean): Ack {
  return durable ? 'durable' : 'logged'
}

function isReceipt(result: unknown): result is Receipt {
  return typeof result === 'object' && result !== null && 'dot' in result && 'version' in result && 'ack' in result
}

function written({ dot, version, ack }: Receipt): Written {
  return { dot: dot === undefined ? null : { replica: dot.replica, sequence: dot.sequence }, version, ack }
}
