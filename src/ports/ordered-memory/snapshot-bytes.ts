/**
 * The bytes of a snapshot, cut anew: whoever loads it must not count on the cuts of whoever saved
 * it, for few engines keep them.
 */
import type { Env } from '../env.ts'
import { COPIED_BYTES_MAX } from './batch-bounds.ts'

const PIECE_BYTES: number = 64 * 1024

/** Copies of all pieces, in turns; stops when nobody waits any more. */
export async function cutAnew(
  pieces: AsyncIterable<Uint8Array>,
  clock: Pick<Env, 'yield'>,
  isOver: () => boolean,
): Promise<readonly Uint8Array[]> {
  const cut: Uint8Array[] = []
  let open = new Uint8Array(PIECE_BYTES)
  let used = 0
  let copiedBytes = 0
  for await (const piece of pieces) {
    for (let from = 0; from < piece.length && !isOver();) {
      const part = piece.subarray(from, from + PIECE_BYTES - used)
      open.set(part, used)
      from += part.length
      used += part.length
      copiedBytes += part.length
      if (used === PIECE_BYTES) {
        cut.push(open)
        open = new Uint8Array(PIECE_BYTES)
        used = 0
      }
      if (copiedBytes < COPIED_BYTES_MAX) continue
      copiedBytes = 0
      await clock.yield()
    }
    if (isOver()) break
  }
  if (used > 0) cut.push(open.slice(0, used))
  return cut
}

/** The pieces one after the other, in turns. `check` throws when they cannot be had any more. */
export async function* handedOver(
  pieces: readonly Uint8Array[],
  clock: Pick<Env, 'yield'>,
  check: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0
  for (const piece of pieces) {
    check()
    yield piece
    bytes += piece.length
    if (bytes < COPIED_BYTES_MAX) continue
    bytes = 0
    await clock.yield()
  }
}
