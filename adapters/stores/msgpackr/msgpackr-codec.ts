/**
 * MessagePack by msgpackr, locked down: no records (they need a table beside the value), no
 * extensions (they make objects of classes out of stored bytes). Both are refused on the way in and
 * out, by a look at the bytes before msgpackr sees them. For stores alone: neither the log nor the
 * wire carries it.
 */
import { Packr } from 'msgpackr'
import { shownKind } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { StoreCodec } from '../../../src/ports/primary-store.ts'
import { isPlain, undecodable } from '../../../src/ports/stores/codecs.ts'
import { DEPTH_MAX, refusedBytes } from './plain-messagepack.ts'

export function msgpackrCodec(): StoreCodec {
  const packr = new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: false, copyBuffers: true })
  return {
    name: 'msgpackr',
    encode: (value) => {
      checkPlain(value, 0)
      // A copy: msgpackr goes on writing into the buffer that it answers from.
      const bytes = new Uint8Array(packr.pack(value))
      const refusal = refusedBytes(bytes)
      if (refusal !== undefined) throw unencodable(refusal)
      return bytes
    },
    decode: (bytes) => {
      const refusal = refusedBytes(bytes)
      if (refusal !== undefined) throw undecodable('msgpackr', `the bytes have ${refusal}`)
      try {
        return packr.unpack(bytes) as unknown
      } catch (cause) {
        throw undecodable('msgpackr', 'the bytes are no MessagePack', cause)
      }
    },
  }
}

/** msgpackr makes arrays of sets, and empty objects of what it does not know: in silence. */
function checkPlain(value: unknown, depth: number): void {
  if (depth > DEPTH_MAX) throw unencodable(`more than ${DEPTH_MAX} levels`)
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number' && !Object.is(value, -0)) return
  if (value instanceof Uint8Array) return
  if (typeof value !== 'object' || !isPlain(value)) throw unencodable(Object.is(value, -0) ? '-0' : shownKind(value))
  for (const part of Object.values(value)) checkPlain(part, depth + 1)
}

function unencodable(what: string): WarpError {
  return new WarpError(
    'WARP_E_UNENCODABLE',
    `the codec msgpackr keeps plain values and bytes, and not ${what}; take it apart, or write a codec of your own`,
  )
}
