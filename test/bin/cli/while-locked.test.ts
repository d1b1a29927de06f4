/** A command waits for a folder that another process holds. */
import { expect, test } from 'vitest'
import { WarpError } from '../../../crdt/warp-error.ts'
import { whileLocked } from '../../../bin/cli/target/while-locked.ts'

const PATIENCE = { heldMsMax: 5, retryMs: 1 }

function heldBy(pid: number | undefined): WarpError {
  return new WarpError('WARP_E_LOG_LOCKED', 'held', { details: pid === undefined ? {} : { pid } })
}

/** Free at the last of so many attempts. */
function held(attempts: number, by: (attempt: number) => number | undefined) {
  let count = 0
  const attempt = (): Promise<number> =>
    ++count < attempts ? Promise.reject(heldBy(by(count))) : Promise.resolve(count)
  return () => whileLocked(new AbortController().signal, attempt, PATIENCE)
}

test('goes on for as long as one process after the other holds it for a moment', async () => {
  expect(await held(200, (attempt) => attempt)()).toBe(200)
})

test.each([7, undefined])('ends when one process holds it for too long (%s)', async (pid) => {
  await expect(held(Infinity, () => pid)()).rejects.toMatchObject({ code: 'WARP_E_LOG_LOCKED' })
})

test('ends with its signal, and with any other error', async () => {
  const aborted = whileLocked(AbortSignal.abort(), () => Promise.reject(heldBy(1)), PATIENCE)
  await expect(aborted).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
  const broken = whileLocked(new AbortController().signal, () => Promise.reject(new Error('broken')), PATIENCE)
  await expect(broken).rejects.toThrow('broken')
})
