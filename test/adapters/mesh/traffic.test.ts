/** What a mesh puts on the wire, counted. More sizes: `npm run bench -- mesh-traffic`. */
import { expect, test } from 'vitest'
import { register } from '../../../crdt/register.ts'
import { ALL_PARTS, openWarpOn, type Warp } from '../../../src/index.ts'
import { closeAll } from '../../support/close-all.ts'
import { CountedMesh } from '../../support/counted-mesh.ts'
import { byExtent } from '../../support/extent.ts'

/** Compaction is what the replicas tell each other most for. */
const KEYS = { 'note:*': { strategy: register<string>(), retain: 'latest' as const } }
const SETTLE_MS = 60_000
const WRITE_BYTES = 200
/** How often one writes: ten a second, one a second, one in ten seconds, and one that is alone. */
const RATES = [
  { writes: 50, pauseMs: 100 },
  { writes: 20, pauseMs: 1000 },
  { writes: 6, pauseMs: 10_000 },
  { writes: 3, pauseMs: 60_000 },
]
const ENGINES = byExtent({ some: 16, all: 32, soak: 32 })
const SIZES = byExtent({ some: [3, 12], all: [3, 8, 32], soak: [3, 8, 32] })

interface Idle {
  readonly bytes: number
  readonly datagrams: number
}

/** What one member of an idle mesh sends in a minute; nobody uses it. */
async function bareIdle(count: number): Promise<Idle> {
  const mesh = new CountedMesh(count)
  const links = await Promise.all(mesh.members.map(({ transport }) => transport.open({ receive: () => undefined })))
  await mesh.env.advance(SETTLE_MS)
  const { bytes, datagrams } = await mesh.sentIn(SETTLE_MS)
  await Promise.all([...links.map((link) => link.close()), mesh.env.advance(5000)])
  return { bytes: bytes / count, datagrams: datagrams / count }
}

/** A mesh with engines, of which each has written, so that digests are as long as they get. */
async function usedMesh(count: number): Promise<{ readonly mesh: CountedMesh; readonly warps: Warp<typeof KEYS>[] }> {
  const mesh = new CountedMesh(count)
  const open = ({ env, transport }: CountedMesh['members'][number]): Promise<Warp<typeof KEYS>> =>
    openWarpOn({ env, parts: ALL_PARTS }, { keys: KEYS, transports: [transport] })
  const warps = await Promise.all(mesh.members.map(open))
  for (const [i, warp] of warps.entries()) await warp.set(`note:${i}`, 'x'.padEnd(WRITE_BYTES, '.'))
  await mesh.env.advance(SETTLE_MS)
  return { mesh, warps }
}

async function idleOfEngines(count: number): Promise<Idle> {
  const { mesh, warps } = await usedMesh(count)
  const { bytes, datagrams } = await mesh.sentIn(SETTLE_MS)
  await closeAll(mesh.env, warps)
  return { bytes: bytes / count, datagrams: datagrams / count }
}

test('a member of 32 that has nothing to say sends no more than twice as much as one of 3', async () => {
  const [few, many] = [await bareIdle(3), await bareIdle(32)]
  expect(many.bytes / few.bytes).toBeLessThan(2)
  expect((few.bytes * 1000) / SETTLE_MS).toBeLessThan(200)
})

test(`nor does one of ${ENGINES} engines against one of 3, in bytes or in datagrams`, async () => {
  const [few, many] = [await idleOfEngines(3), await idleOfEngines(ENGINES)]
  expect(many.bytes / few.bytes).toBeLessThan(2)
  expect(many.datagrams / few.datagrams).toBeLessThan(2)
  // Of this nearly all is the mesh's own.
  expect((few.bytes * 1000) / SETTLE_MS).toBeLessThan(220)
})

test.each(SIZES)(
  'among %i, a write of 200 bytes costs at most twice its size for each receiver, however often there is one',
  async (count) => {
    const { mesh, warps } = await usedMesh(count)
    await mesh.env.advance(SETTLE_MS)
    const idleBytesPerMs = (await mesh.bytesIn(SETTLE_MS)) / SETTLE_MS
    const costs: number[] = []
    for (const { writes, pauseMs } of RATES) {
      let bytes = 0
      for (let i = 0; i < writes; i++) {
        await warps[0]?.set('note:0', String(i).padEnd(WRITE_BYTES, '.'))
        bytes += (await mesh.bytesIn(pauseMs)) - idleBytesPerMs * pauseMs
      }
      expect(await warps.at(-1)?.get('note:0')).toBe(String(writes - 1).padEnd(WRITE_BYTES, '.'))
      costs.push(bytes / writes / (count - 1))
      await mesh.env.advance(SETTLE_MS)
    }
    const said = costs.map((cost) => cost.toFixed(0)).join(', ')
    expect(Math.min(...costs), said).toBeGreaterThan(WRITE_BYTES)
    expect(Math.max(...costs) / WRITE_BYTES, said).toBeLessThan(2)
    await closeAll(mesh.env, warps)
  },
)
