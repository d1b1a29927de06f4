/**
 * Changes of a part of a string: APPEND, SETRANGE, SETBIT and BITFIELD. Those that no whole value has
 * replaced are made in the order of their stamps, upon the value. Adding to a field of bits wraps, so
 * that concurrent additions to one field add up modulo its width.
 */
import type { Stamp } from '../time/hlc.ts'

export type Change =
  | { readonly kind: 'append'; readonly bytes: string }
  | { readonly kind: 'overwrite'; readonly offset: number; readonly bytes: string }
  | {
      readonly kind: 'set-bits' | 'add-bits'
      /** Of the first bit, the most significant one of a byte first. */
      readonly offset: number
      /** 1 to 64. */
      readonly width: number
      readonly value: bigint
    }

export interface Patch {
  readonly stamp: Stamp
  readonly changes: readonly Change[]
}

export const NO_PATCHES: readonly Patch[] = Object.freeze([])

export const WIDTH_MAX = 64
/** Strings of Redis have at most 512 MiB. */
export const STRING_BYTES_MAX = 67_108_864

export function changed(text: string, changes: readonly Change[]): string {
  return changes.reduce(afterChange, text)
}

function afterChange(text: string, change: Change): string {
  if (change.kind === 'append') return text + change.bytes
  if (change.kind === 'overwrite') {
    if (change.bytes === '') return text
    return padded(text, change.offset) + change.bytes + text.slice(change.offset + change.bytes.length)
  }
  const { kind, offset, width, value } = change
  const from = Math.floor(offset / 8)
  const to = Math.floor((offset + width - 1) / 8) + 1
  const after = kind === 'set-bits' ? value : bitsAt(text, offset, width) + value
  const unused = BigInt(to * 8 - offset - width)
  const mask = (1n << BigInt(width)) - 1n
  const bits = (unsigned(text, from, to) & ~(mask << unused)) | ((after & mask) << unused)
  let bytes = ''
  for (let left = to - from - 1; left >= 0; left--)
    bytes += String.fromCharCode(Number((bits >> BigInt(left * 8)) & 255n))
  return padded(text, from) + bytes + text.slice(to)
}

/** A field of bits as an unsigned number; what lies behind the end is 0. */
export function bitsAt(text: string, offset: number, width: number): bigint {
  const to = Math.floor((offset + width - 1) / 8) + 1
  const bits = unsigned(text, Math.floor(offset / 8), to) >> BigInt(to * 8 - offset - width)
  return bits & ((1n << BigInt(width)) - 1n)
}

function unsigned(text: string, from: number, to: number): bigint {
  let bits = 0n
  for (let i = from; i < to; i++) bits = (bits << 8n) | BigInt(i < text.length ? text.charCodeAt(i) : 0)
  return bits
}

/** The first `length` bytes, with zeros for those that are not there. */
function padded(text: string, length: number): string {
  return text.length >= length ? text.slice(0, length) : text + '\0'.repeat(length - text.length)
}
