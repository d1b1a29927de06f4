/**
 * What work leaves behind in memory. Other files have run in the same process, and the collector moves
 * or puts off what they left whenever it likes; what leaks grows in each part of the work alike.
 */

/** Parts that work is cut into: of so many one is quiet on any machine. */
export const PARTS = 4

/** The bytes that the part leaves behind which leaves least. `part` does a quarter of the work. */
export async function leastKeptBytes(part: () => void | Promise<void>): Promise<number> {
  let least = Infinity
  let before = await keptBytes()
  for (let i = 0; i < PARTS; i++) {
    await part()
    const after = await keptBytes()
    least = Math.min(least, after - before)
    before = after
  }
  return least
}

async function keptBytes(): Promise<number> {
  if (globalThis.gc === undefined) throw new Error('memory cannot be measured: run with --expose-gc')
  globalThis.gc()
  await new Promise((resolve) => setImmediate(resolve)) // finalizers
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
