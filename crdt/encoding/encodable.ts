/**
 * What a payload may hold: JSON's types, and `bigint` (64 bit), `Uint8Array` and `Date`.
 *
 * Properties that are `undefined` are left out. `-0` becomes `0` and every NaN the same NaN, so
 * that equal values have equal bytes. Functions, symbols, class instances, Map, Set, cycles, lone
 * surrogates and `undefined` as a value of its own are refused with `WARP_E_UNENCODABLE`.
 */
export type Encodable =
  | null
  | boolean
  | number
  | string
  | bigint
  | Uint8Array
  | Date
  | readonly Encodable[]
  | { readonly [key: string]: Encodable | undefined }
