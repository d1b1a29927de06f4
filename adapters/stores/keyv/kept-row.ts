/** How a row is kept in Keyv: an object of texts, which every serialiser carries. */
import type { StoreCodec, StoreRow } from '../../../src/ports/primary-store.ts'
import { outsidersRow } from '../../../src/ports/stores/rows.ts'

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export interface KeptRow {
  /** Marks rows of Warp; anything else is an outsider's value. */
  readonly warp: 1
  /** The value: as text where it is text, otherwise in Base64. Absent: a tombstone. */
  readonly text?: string
  readonly bytes?: string
  readonly meta: string
  readonly token: string
}

export function keptRow({ value, meta, token }: StoreRow): KeptRow {
  const side = { meta: toBase64(meta), token: toBase64(token) }
  if (value === undefined) return { warp: 1, ...side }
  const text = textOf(value)
  return { warp: 1, ...(text === undefined ? { bytes: toBase64(value) } : { text }), ...side }
}

/** Text where the bytes are text, so that people can read it. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes)
  } catch {
    return undefined
  }
}

export function rowOf(kept: unknown, codec: StoreCodec): StoreRow | undefined {
  if (kept === undefined || kept === null) return undefined
  if (!isKeptRow(kept)) return outsidersRow(codec.encode(kept))
  const { text, bytes } = kept
  const value = text === undefined ? fromBase64(bytes) : new TextEncoder().encode(text)
  return { value, meta: fromBase64(kept.meta) ?? new Uint8Array(), token: fromBase64(kept.token) ?? new Uint8Array() }
}

function isKeptRow(kept: unknown): kept is KeptRow {
  if (typeof kept !== 'object' || kept === null) return false
  const { warp, meta, token } = kept as Partial<KeptRow>
  return warp === 1 && typeof meta === 'string' && typeof token === 'string'
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function fromBase64(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : new Uint8Array(Buffer.from(text, 'base64'))
}
