/** What a mesh puts on the wire, counted. What engines add to it while nothing happens: `npm run bench -- mesh-traffic`. */
import { expect, test } from 'vitest'
import { register } from '../../../crdt/register.ts'
import { ALL_PARTS, openWarpOn } from '../../../src/index.ts'
import { closeAll } from '../../support/close-all.ts'
import { CountedMesh } from '../../support/counted-mesh.ts'

const KEYS = { 'note:*': register<string>() }
const SETTLE_MS = 60_000
const WRITE_BYTES = 200
const WRITES = 20
/** By then digests have told of it, and let it become stable. */
const WRITE_MS = 5000

/** Bytes that one member of an idle mesh sends in a second; nobody uses it. */
async function idleBytesPerSecond(count: number): Promise<number> {
  const mesh = new CountedMesh(count)
  const links = await Promise.all(mesh.members.map(({ transport }) => transport.open({ receive: () => undefined })))
  await mesh.env.advance(SETTLE_MS)
  const bytes = await mesh.bytesIn(SETTLE_MS)
  await Promise.all([...links.map((link) => link.close()), mesh.env.advance(5000)])
  return bytes / count / (SETTLE_MS / 1000)
}

test('a member of 32 that has nothing to say sends no more than twice as much as one of 3', async () => {
  const [few, many] = [await idleBytesPerSecond(3), await idleBytesPerSecond(32)]
  expect(many / few).toBeLessThan(2)
  expect(few).toBeLessThan(200)
})

test.each([3, 8])('among %i, a write of 200 bytes costs at most twice its size for each receiver', async (count) => {
  const mesh = new CountedMesh(count)
  const warps = await Promise.all(
    mesh.members.map(({ env, transport }) =>
      openWarpOn({ env, parts: ALL_PARTS }, { keys: KEYS, transports: [transport] }),
    ),
  )
  // Everybody has written once, so digests are as long as they get.
  for (const [i, warp] of warps.entries()) await warp.set(`note:${i}`, 'x'.padEnd(WRITE_BYTES, '.'))
  await mesh.env.advance(SETTLE_MS)
  const idleBytesPerMs = (await mesh.bytesIn(SETTLE_MS)) / SETTLE_MS
  let bytes = 0
  for (let i = 0; i < WRITES; i++) {
    await warps[0]?.set('note:0', String(i).padEnd(WRITE_BYTES, '.'))
    bytes += (await mesh.bytesIn(WRITE_MS)) - idleBytesPerMs * WRITE_MS
  }
  expect(await warps.at(-1)?.get('note:0')).toBe(String(WRITES - 1).padEnd(WRITE_BYTES, '.'))
  const perReceiver = bytes / WRITES / (count - 1)
  expect(perReceiver).toBeGreaterThan(WRITE_BYTES)
  expect(perReceiver / WRITE_BYTES).toBeLessThan(2)
  await closeAll(mesh.env, warps)
})
