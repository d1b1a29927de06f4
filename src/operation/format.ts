/** What the bytes of an operation are made of; see `envelope-writer.ts` for the layout. */

export const ENVELOPE_VERSION = 1

export const FLAG_CONTEXT = 1
export const FLAG_DEPENDENCIES = 2
export const FLAG_EXTENSION = 4
export const FIELD_FORMER = 1
export const ENVELOPE_BYTES_MIN = 21

/** The one number of the format: of envelopes, log segments, meta records, digests and frames. */
export const FORMAT_VERSION = 2
