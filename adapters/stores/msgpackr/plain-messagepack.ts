/**
 * A look at MessagePack that builds nothing: are these bytes one value, of nothing but plain types,
 * not nested too deep? Costs one step a value, and no memory beyond the depth.
 */

export const DEPTH_MAX = 64

/** Bytes behind the first one of a number, by that first byte. */
const NUMBER_BYTES: Readonly<Record<number, number>> = {
  ...{ 0xca: 4, 0xcb: 8, 0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8, 0xd0: 1, 0xd1: 2, 0xd2: 4, 0xd3: 8 },
  ...{ 0xc0: 0, 0xc2: 0, 0xc3: 0 },
}
/** Bytes of the length: bin 8, 16, 32, str 8, 16, 32. */
const TEXT_LENGTH: Readonly<Record<number, number>> = { 0xc4: 1, 0xc5: 2, 0xc6: 4, 0xd9: 1, 0xda: 2, 0xdb: 4 }
/** array 16, 32, map 16, 32. */
const LIST_LENGTH: Readonly<Record<number, number>> = { 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4 }

/** What is refused about the bytes, or `undefined`. */
export function refusedBytes(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  /** How many values are open, at each depth. */
  const open = [1]
  let at = 0
  while (open.length > 0) {
    const left = open.length - 1
    if (open[left] === 0) {
      open.pop()
      continue
    }
    open[left]!--
    if (at >= bytes.length) return 'an end before the end of the value'
    const next = look(view, at)
    if (typeof next === 'string') return next
    at = next.end
    if (at > bytes.length) return 'an end before the end of the value'
    if (next.values > bytes.length - at) return 'an end before the end of the value'
    if (next.values > 0) open.push(next.values)
    if (open.length > DEPTH_MAX) return `more than ${DEPTH_MAX} levels`
  }
  return at === bytes.length ? undefined : 'bytes behind the value'
}

/** Where the value's head ends, and how many values belong to it; or what is refused. */
function look(view: DataView, at: number): { readonly end: number; readonly values: number } | string {
  const first = view.getUint8(at)
  if (first < 0x80 || first >= 0xe0) return { end: at + 1, values: 0 }
  if (first < 0x90) return { end: at + 1, values: 2 * (first & 0x0f) }
  if (first < 0xa0) return { end: at + 1, values: first & 0x0f }
  if (first < 0xc0) return { end: at + 1 + (first & 0x1f), values: 0 }
  const size = NUMBER_BYTES[first]
  if (size !== undefined) return { end: at + 1 + size, values: 0 }
  const textLength = TEXT_LENGTH[first]
  if (textLength !== undefined) return { end: at + 1 + textLength + lengthAt(view, at + 1, textLength), values: 0 }
  const listLength = LIST_LENGTH[first]
  if (listLength === undefined) return 'an extension'
  const count = lengthAt(view, at + 1, listLength)
  return { end: at + 1 + listLength, values: first >= 0xde ? 2 * count : count }
}

function lengthAt(view: DataView, at: number, size: number): number {
  if (at + size > view.byteLength) return Infinity
  if (size === 1) return view.getUint8(at)
  return size === 2 ? view.getUint16(at) : view.getUint32(at)
}
