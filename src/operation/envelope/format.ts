/**
 * The one format number: first byte of an operation, a meta record, a checkpoint and a frame,
 * version in the header of a log segment and of an export. What a build does not read it refuses
 * before a byte is touched. Format 1 was never released.
 */
export const FORMAT_VERSION = 2

/** Flags of an operation; another one is of another format, and the operation is refused. */
export const FLAG = { context: 1, dependencies: 2, fields: 4, exact: 8, dots: 16 } as const
export const FLAGS_KNOWN = 31

/**
 * Fields of an operation, by tag. Who does not know a field keeps and forwards it. From 128 on a
 * field changes what the operation means: who does not know such a field cannot apply the
 * operation, which blocks its key as an unknown kind does.
 */
export const FIELD = {
  /**
   * Dots under which the operation was issued before, oldest first: `(replica:8 sequence:varint)*`.
   */
  former: 1,
  /** The dot under which the operation was issued first: `replica:8 sequence:varint`. */
  origin: 2,
  /** How long what the operation writes lives, `ms:varint`. */
  life: 3,
  /** How long beyond its life it may be served if nothing newer can be had, `ms:varint`. */
  grace: 4,
  /** For whom the writer wrote: `guest:8 sequence:varint bytes:varint principal:utf8`. */
  provenance: 5,
  /** Reserved for the audit chain: a hash of the writer's previous operation. */
  previousHash: 6,
  /**
   * The name under which rows of the primary store held the operation before it was one: it was written
   * through. `writer:8 sequence:varint`.
   */
  rowName: 7,
  /**
   * Under what condition it counts. This build decides none, and knows what it is for an operation to be
   * part of a transaction.
   */
  condition: 128,
  /**
   * When it was written, where that is not its stamp: `hlc:u64`. This build does not order by it.
   */
  writtenAt: 129,
  /** Reserved for encryption: the key that its payload is encrypted with. */
  keyId: 130,
} as const

/**
 * From this tag on who does not apply a field cannot apply the operation. This build applies of them
 * a condition that is a part in a transaction, and nothing else.
 */
export const FIELD_BINDING_MIN = 128

export const ENVELOPE_BYTES_MIN = 21
