/**
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), the checksum of every stored record and
 * header.
 *
 * Slicing-by-16 (after Kounavis and Berry 2005): sixteen look-ups for sixteen bytes in 16 KiB of
 * tables, the bytes fetched as four words through a DataView, which needs no alignment. Measured on
 * records of 300 bytes: 1.67 GB/s; by eight bytes 1.27; by sixteen, fetched one by one, 1.34.
 *
 * The running state is handed in and out without the customary inversions: the log starts it at
 * `salt ^ offset`, and two different starts never give the same checksum over the same bytes (the
 * map from start to result is a bijection), so a record found in the wrong place fails for certain,
 * not just probably.
 */
const POLYNOMIAL_REFLECTED = 0x82f63b78
const SLICES = 16

const TABLE: Int32Array = makeTables()

function makeTables(): Int32Array {
  const table = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL_REFLECTED
    table[byte] = crc
  }
  for (let i = 256; i < table.length; i++) {
    const before = table[i - 256]!
    table[i] = (before >>> 8) ^ table[before & 0xff]!
  }
  return table
}

/** Advances `state` over the bytes `[from, to)` of `view`; returns a 32-bit integer, signed. */
export function crc32cUpdate(state: number, view: DataView, from: number, to: number): number {
  const table = TABLE
  let crc = state | 0
  let i = from
  for (const stop = to - 15; i < stop; i += 16) {
    const a = crc ^ view.getInt32(i, true)
    const b = view.getInt32(i + 4, true)
    const c = view.getInt32(i + 8, true)
    const d = view.getInt32(i + 12, true)
    crc =
      table[3840 + (a & 0xff)]! ^
      table[3584 + ((a >>> 8) & 0xff)]! ^
      table[3328 + ((a >>> 16) & 0xff)]! ^
      table[3072 + (a >>> 24)]! ^
      table[2816 + (b & 0xff)]! ^
      table[2560 + ((b >>> 8) & 0xff)]! ^
      table[2304 + ((b >>> 16) & 0xff)]! ^
      table[2048 + (b >>> 24)]! ^
      table[1792 + (c & 0xff)]! ^
      table[1536 + ((c >>> 8) & 0xff)]! ^
      table[1280 + ((c >>> 16) & 0xff)]! ^
      table[1024 + (c >>> 24)]! ^
      table[768 + (d & 0xff)]! ^
      table[512 + ((d >>> 8) & 0xff)]! ^
      table[256 + ((d >>> 16) & 0xff)]! ^
      table[d >>> 24]!
  }
  for (; i < to; i++) crc = (crc >>> 8) ^ table[(crc ^ view.getUint8(i)) & 0xff]!
  return crc
}

/** The standard CRC-32C of `bytes`: `0xe3069283` for the ASCII digits 1 to 9. */
export function crc32c(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return (crc32cUpdate(-1, view, from, to) ^ -1) >>> 0
}
