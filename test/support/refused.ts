import { isWarpError, type WarpError } from '../../crdt/warp-error.ts'

/** The WarpError that `run` throws. */
export function refused(run: () => unknown): WarpError {
  try {
    run()
  } catch (error) {
    if (isWarpError(error)) return error
    throw error
  }
  throw new Error('nothing was refused')
}
