/** An audit looks at the parts of large states as at all else. */
import { expect, test } from 'vitest'
import { checkLogOn } from '../../src/audit/check-log.ts'
import type { CheckLogOptions, Finding } from '../../src/audit/finding.ts'
import type { MemoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { keysRetaining, TestEngine } from '../engine/engine-fixture.ts'
import { disk, rewriteInPlace, storeOf } from './prepared-logs.ts'

/** Where flags and bytes of a part stand: behind the key and its length, format and strategy. */
const FLAGS_AT = 1 + 'set:large'.length + 2

/** In one segment, so that nothing is rewritten. */
async function withLargeState(): Promise<MemoryFiles> {
  const files = disk()
  const replica = await TestEngine.open({ files, segmentBytes: 2 ** 25 })
  for (let i = 0; i < 5; i++) await replica.write('set:large', 'add', [`${i}`.padEnd(900_000, '.')])
  await replica.engine.compact()
  await replica.write('set:large', 'add', ['behind it'])
  await replica.close()
  return files
}

async function check(
  files: MemoryFiles,
  options: Omit<CheckLogOptions, 'logs' | 'onFinding'> = { keys: keysRetaining('latest') },
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  const logs = [storeOf(files)]
  await checkLogOn({ env: virtualEnv() }, { ...options, logs, onFinding: (one) => findings.push(one) })
  return findings
}

function forged(files: MemoryFiles, edit: (part: Uint8Array, index: number) => void): MemoryFiles {
  const copy = files.copy()
  let index = 0
  rewriteInPlace(copy, (kind, body) => {
    if (kind === 2 && body[FLAGS_AT] === 32) edit(body, index++)
  })
  expect(index).toBeGreaterThan(15)
  return copy
}

test('nothing is found in a sound log with a large state, whether or not it is known what its keys mean', async () => {
  const files = await withLargeState()
  expect(await check(files)).toEqual([])
  expect(await check(files, {})).toEqual([])
})

test.each([
  ['of another key', (part: Uint8Array, index: number) => void (index === 3 && (part[1] = 'S'.charCodeAt(0)))],
  [
    'whose bytes are none of a state',
    (part: Uint8Array, index: number) => void (index === 0 && part.fill(0xc1, FLAGS_AT + 1)),
  ],
])('a part %s is found, with a good checksum', async (_, edit) => {
  const damaged = forged(await withLargeState(), edit)
  for (const options of [{ keys: keysRetaining('latest') }, {}]) {
    const findings = await check(damaged, options)
    expect(new Set(findings.map(({ kind, key }) => `${kind} ${key}`))).toEqual(new Set(['snapshot set:large']))
  }
})

test('a large state that is not the fold of its operations is found while they are there', async () => {
  const damaged = forged(await withLargeState(), (part, index) => {
    if (index === 3) part[part.length - 9] = 'x'.charCodeAt(0)
  })
  expect((await check(damaged)).map(({ kind, key }) => [kind, key])).toEqual([['snapshot', 'set:large']])
  expect(await check(damaged, {})).toEqual([])
})
