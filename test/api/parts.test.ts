import { build } from 'esbuild'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { counter } from '../../crdt/index.ts'
import { ALL_PARTS } from '../../src/api/all-parts.ts'
import type { WarpParts } from '../../src/api/parts.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { openWarpOn } from '../../src/warp.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { ROOT } from '../support/tidy/source-tree.ts'

const keys = { 'visits:*': counter() }
const KEY = 'visits:home'

async function opened(parts?: WarpParts) {
  const platform = { env: virtualEnv(), ...(parts === undefined ? {} : { parts }) }
  const warp = await openWarpOn(platform, { keys })
  await warp.key(KEY).increment(3)
  return warp
}

const needs = (part: keyof WarpParts) => ({
  code: 'WARP_E_CONFIG',
  details: { part },
  message: expect.stringContaining("openWarp of 'warp-engine' brings every part") as unknown,
})

describe('an engine opened without parts', () => {
  test('writes, reads, lists, watches and compacts', async () => {
    await using warp = await opened()
    expect(await warp.get(KEY)).toBe(3)
    await warp.compact()
    expect((await warp.entries('visits:*')[Symbol.asyncIterator]().next()).value).toMatchObject({ key: KEY, value: 3 })
    expect(warp.stats()).toMatchObject({ keysCount: 1, isJoined: false, peers: [] })
    expect(warp.replicas()).toHaveLength(1)
  })

  test('says what brings the past', async () => {
    await using warp = await opened()
    const next = (log: AsyncIterable<unknown>) => log[Symbol.asyncIterator]().next()
    await expect(next(warp.log(KEY))).rejects.toMatchObject(needs('history'))
    await expect(warp.getAt(KEY, { version: 1 })).rejects.toMatchObject(needs('history'))
    await expect(warp.explain(KEY)).rejects.toMatchObject(needs('history'))
    await expect(next(warp.key(KEY).log())).rejects.toMatchObject(needs('history'))
    await expect(warp.key(KEY).getAt({ version: 1 })).rejects.toMatchObject(needs('history'))
    await expect(warp.key(KEY).explain()).rejects.toMatchObject(needs('history'))
  })

  test('says what brings export and import', async () => {
    await using warp = await opened()
    expect(() => warp.export()).toThrow(expect.objectContaining(needs('transfer')))
    await expect(warp.import(none())).rejects.toMatchObject(needs('transfer'))
  })

  test('refuses transports and frees the log', async () => {
    const transports = [memoryNetwork({ env: virtualEnv() }).transport('alone')]
    let closedCount = 0
    const log = {
      name: 'counted',
      open: () => {
        const files = memoryFiles()
        const close = files.close.bind(files)
        files.close = () => {
          closedCount++
          return close()
        }
        return Promise.resolve(files)
      },
    }
    const opening = openWarpOn({ env: virtualEnv() }, { keys, transports, log })
    await expect(opening).rejects.toMatchObject(needs('replication'))
    expect(closedCount).toBe(1)
  })

  test('refuses options of replication, which it could not even check', async () => {
    const opening = openWarpOn({ env: virtualEnv() }, { keys, replication: { horizonMs: 60_000 } })
    await expect(opening).rejects.toMatchObject(needs('replication'))
  })

  test('has each part that it is handed, and no other', async () => {
    const { history, transfer } = ALL_PARTS
    await using past = await opened({ ...(history === undefined ? {} : { history }) })
    expect((await past.explain(KEY)).value).toBe(3)
    expect(() => past.export()).toThrow(expect.objectContaining(needs('transfer')))
    await using moved = await opened({ ...(transfer === undefined ? {} : { transfer }) })
    await expect(moved.explain(KEY)).rejects.toMatchObject(needs('history'))
    expect((await moved.export()[Symbol.asyncIterator]().next()).value).toContain(KEY)
  })
})

test('a bundle without parts holds nothing of their rooms', async () => {
  const { metafile, outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/warp.ts'],
    ...{ bundle: true, minify: true, write: false, metafile: true },
    ...{ format: 'esm', platform: 'neutral', logLevel: 'silent' },
  })
  const [output] = Object.values(metafile.outputs)
  const carried = Object.entries(output?.inputs ?? {}).flatMap(([file, { bytesInOutput }]) =>
    bytesInOutput > 0 ? [file] : [],
  )
  expect(carried).toContain('src/engine.ts')
  const ofParts = carried.filter((file) => /^src\/(?:replication|transfer|history)\//.test(file))
  const bytes = gzipSync(outputFiles[0]?.contents ?? '').length
  expect(ofParts, `the bundle, ${bytes} bytes minified and compressed, should hold none of these`).toEqual([])
})

async function* none(): AsyncGenerator<string> {
  yield ''
}
