/** `warp replay` and `warp compact`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp, type Retention } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { warp, warpJson, warpOk } from '../../support/cli.ts'
import { commandFolder, type CommandFolder } from './command-folder.ts'

async function written(retain: Retention = 'all'): Promise<CommandFolder> {
  const here = commandFolder({ keys: { 'best:*': { strategy: 'register', retain } } })
  const warp = await open(here, 'data')
  for (const value of [3, 9, 4]) await warp.set('best:1', value)
  await warp.set('best:2', 7)
  await warp.close()
  return here
}

function open({ cwd }: CommandFolder, data: string) {
  return openWarp({ keys: { 'best:*': register<number>() }, log: fileLog({ path: path.join(cwd, data) }) })
}

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), 'base64')]))
}

describe('replay', () => {
  test('shows what would differ under another configuration, and changes nothing', async () => {
    const here = await written()
    writeFileSync(path.join(here.cwd, 'next.mjs'), `export const keys = { 'best:*': { kind: 'custom', ${SUM} } }`)
    const before = contents(path.join(here.cwd, 'data'))
    const { code, stdout, stderr } = await warp(['replay', 'data', '--with', 'next.mjs'], here)
    expect([code, stderr]).toEqual([1, ''])
    expect(stdout).toMatch(/^ {2}key +would be +is +would read\n/)
    expect(stdout).toMatch(/best:1 +changed +4 +16\n1 of 2 keys would differ\n$/)
    expect(await warp(['replay', 'data', '--with', 'next.mjs', '--json'], here).then((one) => one.stdout)).toBe(
      `${JSON.stringify({
        key: 'best:1',
        kind: 'changed',
        before: { strategy: 'register', value: 4, rejectedCount: 0 },
        after: { strategy: 'custom', value: 16, rejectedCount: 0 },
      })}\n`,
    )
    expect(contents(path.join(here.cwd, 'data'))).toEqual(before)
  })

  test('under the same configuration shows nothing', async () => {
    const here = await written()
    const { code, stdout } = await warp(['replay', 'data', '--with', 'warp.config.json'], here)
    expect([code, stdout]).toEqual([0, '0 of 2 keys would differ\n'])
  })

  test('needs to know with what', async () => {
    const here = await written()
    expect(await warp(['replay', 'data'], here)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--with') as string,
    })
    expect((await warp(['replay', 'data', '--with', 'none.json'], here)).code).toBe(2)
  })
})

/** A strategy by hand, since a configuration in a temporary folder cannot import the package. */
const SUM = `
  code: 200, fold: 'canonical', deletes: 'ordered', verbs: {},
  initial: () => 0, apply: (state, { payload }) => state + payload, read: (state) => state,
  isEmpty: (state) => state === 0, encodeState: (state) => state, decodeState: (state) => state`

describe('compact', () => {
  test('frees what need not be retained, and says how much', async () => {
    const here = await written('latest')
    expect(await warpOk(['compact', 'data'], here)).toMatch(
      /^folded 3 operations away and freed \d+ bytes; the log takes \d+ now\n$/,
    )
    expect(await warpJson(['get', 'best:1'], here)).toEqual([4])
    expect(await warpJson(['compact', 'data'], here)).toMatchObject([{ droppedOperationsCount: 0 }])
    expect((await warp(['verify', 'data'], here)).code).toBe(0)
  })

  test('refuses a folder that holds what other replicas wrote, unless it is alone', async () => {
    const here = await written('latest')
    const [source, target] = [await open(here, 'data'), await open(here, 'other')]
    await target.import(source.export())
    await target.set('best:1', 5)
    await source.close()
    await target.close()
    const refused = await warp(['compact', 'other'], here)
    expect(refused.code).toBe(3)
    expect(refused.stderr).toMatch(/other holds operations of 1 other replicas.*--alone/)
    expect(await warpJson(['log', 'best:1', '--data', 'other'], here)).toHaveLength(4)
    expect(await warpOk(['compact', 'other', '--alone'], here)).toMatch(/^folded 4 operations away/)
    expect(await warpJson(['get', 'best:1', '--data', 'other'], here)).toEqual([5])
  })

  test('refuses a folder that holds nothing but what another replica wrote', async () => {
    const here = await written('latest')
    const [source, target] = [await open(here, 'data'), await open(here, 'other')]
    await target.import(source.export())
    await source.close()
    await target.close()
    expect((await warp(['compact', 'other'], here)).code).toBe(3)
  })
})
