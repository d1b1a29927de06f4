/** The codecs that need no library. Others are for stores and nothing else: not for the log, not for the wire. */
import { refusedOption } from '../../../crdt/checked-options.ts'
import { shownKind } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { StoreCodec } from '../primary-store.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * JSON in UTF-8, which everybody can read. What JSON would change in silence (a Date, a Map, NaN,
 * bytes) is refused: it would come back as another value once it had left the memory.
 */
export const jsonCodec: StoreCodec = {
  name: 'json',
  encode: (value) => {
    const text = JSON.stringify(value, refuseChanged) as string | undefined
    if (text === undefined) throw unencodable(value)
    return ENCODER.encode(text)
  },
  decode: (bytes) => {
    try {
      return JSON.parse(DECODER.decode(bytes)) as unknown
    } catch (cause) {
      throw undecodable('json', 'the bytes are no JSON', cause)
    }
  },
}

/** Bytes as they are: values are `Uint8Array`s. */
export const bytesCodec: StoreCodec = {
  name: 'bytes',
  encode: (value) => {
    if (value instanceof Uint8Array) return value
    throw new WarpError('WARP_E_UNENCODABLE', `the codec bytes takes a Uint8Array, and got ${shownKind(value)}`)
  },
  decode: (bytes) => bytes.slice(),
}

/** The codec that an option names. Throws `WARP_E_CONFIG`. */
export function codecOf(what: string, codec: 'json' | 'bytes' | StoreCodec = 'json'): StoreCodec {
  if (codec === 'json') return jsonCodec
  if (codec === 'bytes') return bytesCodec
  const given: unknown = codec
  const remedy = "give 'json', 'bytes' or { name, encode, decode }"
  if (typeof given !== 'object' || given === null) throw refusedOption(what, 'codec', given, remedy)
  const { name, encode, decode } = given as Partial<StoreCodec>
  if (typeof name === 'string' && typeof encode === 'function' && typeof decode === 'function') return codec
  throw refusedOption(what, 'codec', given, remedy)
}

export function undecodable(codec: string, message: string, cause?: unknown): WarpError {
  return new WarpError('WARP_E_STORE', `the codec ${codec} cannot read a stored value: ${message}`, {
    details: { codec, failure: 'broken' },
    cause,
  })
}

/** `JSON.stringify` hands over dates as text already; the holder has them as they were. */
function refuseChanged(this: unknown, name: string, shown: unknown): unknown {
  const value = (this as Readonly<Record<string, unknown>>)[name]
  if (Array.isArray(this) && value === undefined) throw unencodable(value)
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) throw unencodable(value)
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') throw unencodable(value)
  if (typeof value === 'object' && value !== null && !isPlain(value)) throw unencodable(value)
  return shown
}

/** An array, or an object of no class. */
export function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

function unencodable(value: unknown): WarpError {
  const what = typeof value === 'number' ? `the number ${Object.is(value, -0) ? '-0' : value}` : shownKind(value)
  const remedy =
    (typeof value === 'number' && value !== 0) || value instanceof Uint8Array
      ? 'give the store another codec, such as msgpackrCodec()'
      : 'store what JSON has instead (of a Date its toISOString()), or give the store a codec of your own'
  return new WarpError('WARP_E_UNENCODABLE', `the codec json cannot keep ${what}; ${remedy}`)
}
