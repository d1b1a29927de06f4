/**
 * Ids of entries of streams: milliseconds and a number, of 64 bits each, as 16 characters of a byte each, the
 * most significant one first. So ids compare as strings.
 */
declare const brand: unique symbol
export type StreamId = string & { readonly [brand]: 'StreamId' }

export const ID_CHARS = 16
const PART_MAX = 2n ** 64n - 1n
const PART = /^\d{1,20}$/

export const LEAST_ID: StreamId = '\0'.repeat(ID_CHARS) as StreamId
export const GREATEST_ID: StreamId = '\xff'.repeat(ID_CHARS) as StreamId

export function isStreamId(binary: unknown): binary is StreamId {
  return typeof binary === 'string' && binary.length === ID_CHARS
}

export function streamIdOf(ms: bigint, number: bigint): StreamId {
  return (partOf(ms) + partOf(number)) as StreamId
}

function partOf(value: bigint): string {
  let part = ''
  for (let shift = 56n; shift >= 0n; shift -= 8n) part += String.fromCharCode(Number((value >> shift) & 255n))
  return part
}

export function msOf(id: StreamId): bigint {
  return numberIn(id, 0)
}

/** The part behind the milliseconds. */
export function numberOf(id: StreamId): bigint {
  return numberIn(id, 8)
}

function numberIn(id: StreamId, from: number): bigint {
  let value = 0n
  for (let at = from; at < from + 8; at++) value = (value << 8n) | BigInt(id.charCodeAt(at))
  return value
}

/** `1700000000000-5`. */
export function shownId(id: StreamId): string {
  return `${msOf(id)}-${numberOf(id)}`
}

/** A part of an id; `undefined` for what is no number of 64 bits. */
export function parsePart(text: string): bigint | undefined {
  if (!PART.test(text)) return undefined
  const value = BigInt(text)
  return value > PART_MAX ? undefined : value
}

/** `missing` is the second part of an id that has none. `undefined` for what is no id. */
export function parseId(text: string, missing: bigint): StreamId | undefined {
  const cut = text.indexOf('-')
  const ms = parsePart(cut < 0 ? text : text.slice(0, cut))
  const number = cut < 0 ? missing : parsePart(text.slice(cut + 1))
  return ms === undefined || number === undefined ? undefined : streamIdOf(ms, number)
}

export const NUMBER_MAX: bigint = PART_MAX

/** `undefined` behind the greatest. */
export function nextId(id: StreamId): StreamId | undefined {
  if (id === GREATEST_ID) return undefined
  const [ms, number] = [msOf(id), numberOf(id)]
  return number === PART_MAX ? streamIdOf(ms + 1n, 0n) : streamIdOf(ms, number + 1n)
}

/** `undefined` before the least. */
export function previousId(id: StreamId): StreamId | undefined {
  if (id === LEAST_ID) return undefined
  const [ms, number] = [msOf(id), numberOf(id)]
  return number === 0n ? streamIdOf(ms - 1n, PART_MAX) : streamIdOf(ms, number - 1n)
}
