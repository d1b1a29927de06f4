/**
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), the checksum of every stored record and header.
 *
 * Slicing-by-8 (Kounavis and Berry 2005): eight table look-ups per eight bytes, 8 KiB of tables. The running state is handed in
 * and out without the customary final inversion: the log starts it at `salt ^ offset`, and two different starts never give the
 * same checksum over the same bytes (the map from start to result is a bijection), so a record found in the wrong place
 * fails for certain, not just probably.
 */
const POLYNOMIAL_REFLECTED = 0x82f63b78

const TABLE: Int32Array = makeTables()

function makeTables(): Int32Array {
  const table = new Int32Array(8 * 256)
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

/** Advances `state` over `bytes[from, to)`; returns a 32-bit integer, signed. */
export function crc32cUpdate(state: number, bytes: Uint8Array, from: number, to: number): number {
  const table = TABLE
  let crc = state | 0
  let i = from
  for (const stop = to - 7; i < stop; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    crc =
      table[1792 + (crc & 0xff)]! ^
      table[1536 + ((crc >>> 8) & 0xff)]! ^
      table[1280 + ((crc >>> 16) & 0xff)]! ^
      table[1024 + (crc >>> 24)]! ^
      table[768 + bytes[i + 4]!]! ^
      table[512 + bytes[i + 5]!]! ^
      table[256 + bytes[i + 6]!]! ^
      table[bytes[i + 7]!]!
  }
  for (; i < to; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 0xff]!
  return crc
}

/** The standard CRC-32C of `bytes`: `0xe3069283` for the ASCII digits 1 to 9. */
export function crc32c(bytes: Uint8Array, from = 0, to: number = bytes.length): number {
  return (crc32cUpdate(-1, bytes, from, to) ^ -1) >>> 0
}
