/** `warp get`, `set`, `delete` and `do`, on a folder that nobody holds and on one that a replica holds. */
import { describe, expect, test } from 'vitest'
import { startWarp, warp, warpJson, warpOk, type RunOptions } from '../../support/cli.ts'
import { commandFolder } from './command-folder.ts'

const RECEIPT = /^[0-9a-f]{8}:\d+ version \d+, logged\n$/

/** The same commands both ways. */
describe.each(['a folder that nobody holds', 'a folder that a replica holds'])('%s', (place) => {
  async function here(): Promise<RunOptions> {
    const folder = commandFolder()
    if (place === 'a folder that nobody holds') return folder
    await startWarp(['start', '--no-mesh'], folder).line(/^ready /)
    return folder
  }

  test('what is set is there for the next command', async () => {
    const options = await here()
    expect(await warpOk(['set', 'user:1', '{"name":"Alice","age":{"$bigint":"12"}}'], options)).toMatch(RECEIPT)
    expect(await warpOk(['get', 'user:1'], options)).toBe('{ age: 12n, name: "Alice" }\n')
    expect(await warpJson(['get', 'user:1'], options)).toEqual([{ name: 'Alice', age: { $bigint: '12' } }])
  })

  test('text is text where it is asked for, and where it is no JSON', async () => {
    const options = await here()
    await warpOk(['set', 'user:1', '--text', '42'], options)
    expect(await warpJson(['get', 'user:1'], options)).toEqual(['42'])
    await warpOk(['set', 'user:1', 'hello there'], options)
    expect(await warpOk(['get', 'user:1'], options)).toBe('hello there\n')
  })

  test('a deleted key has no value, and get ends with 1', async () => {
    const options = await here()
    await warpOk(['set', 'user:1', 'x'], options)
    expect(await warpOk(['delete', 'user:1'], options)).toMatch(RECEIPT)
    expect(await warp(['get', 'user:1'], options)).toEqual({ code: 1, stdout: '', stderr: '' })
    expect(await warp(['get', 'user:1', '--json'], options)).toEqual({ code: 1, stdout: 'null\n', stderr: '' })
  })

  test('verbs and queries of a strategy are done', async () => {
    const options = await here()
    expect(await warpOk(['do', 'cart:7', 'add', 'apples', '{"$plain":{"$set":1}}'], options)).toMatch(RECEIPT)
    expect(await warpOk(['do', 'cart:7', 'has', 'apples'], options)).toBe('true\n')
    expect(await warpOk(['get', 'cart:7'], options)).toBe('{{ $set: 1 }, "apples"}\n')
    expect(await warpOk(['do', 'cart:7', 'remove', 'pears'], options)).toBe('nothing to write\n')
    const [receipt] = await warpJson(['do', 'visits:1', 'increment', '3', '--durable'], options)
    expect(receipt).toEqual({ dot: { replica: expect.any(String), sequence: 2 }, version: 1, ack: 'durable' })
    expect(await warpOk(['do', 'visits:1', 'decrement', '--', '-1'], options)).toMatch(RECEIPT)
    expect(await warpOk(['get', 'visits:1'], options)).toBe('4\n')
  })

  test('what the engine refuses ends with 3, and says how to do it', async () => {
    const options = await here()
    const unset = await warp(['set', 'visits:1', '3'], options)
    expect(unset).toMatchObject({ code: 3, stdout: '' })
    expect(unset.stderr).toContain("warp: WARP_E_MODE: 'visits:1' has no set")
    expect(unset.stderr).toContain('warp do KEY VERB')
    const inherited = await warp(['do', 'visits:1', 'constructor'], options)
    expect(inherited.stderr).toContain("has no verb 'constructor'; its strategy offers increment, decrement")
    const unknown = await warp(['get', 'nobody:1', '--json'], options)
    expect(JSON.parse(unknown.stderr)).toMatchObject({
      error: { code: 'WARP_E_UNREGISTERED_KEY', details: { key: 'nobody:1' } },
    })
  })
})

test('reading makes no folder, writing does', async () => {
  const folder = commandFolder()
  const missing = await warp(['get', 'user:1'], folder)
  expect(missing.code).toBe(2)
  expect(missing.stderr).toMatch(/^warp: USAGE: there is no folder .*data; see --data\n$/)
  await warpOk(['set', 'user:1', 'x'], folder)
  expect(await warpOk(['get', 'user:1'], folder)).toBe('x\n')
})

test('control characters in a value do not reach the terminal', async () => {
  const folder = commandFolder()
  await warpOk(['set', 'user:1', '"a\\u001b[2Jb\\nc"'], folder)
  expect(await warpOk(['get', 'user:1'], folder)).toBe('a\\u001b[2Jb\nc\n')
})
