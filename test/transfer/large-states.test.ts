/** States that take more than a record are exported and imported part by part. */
import { expect, test } from 'vitest'
import { exportLines } from '../../src/transfer/export-lines.ts'
import { importLines } from '../../src/transfer/import-lines.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { TestEngine } from '../engine/engine-fixture.ts'

const ELEMENTS = Array.from({ length: 6 }, (_, i) => `${i}`.padEnd(900_000, '.'))

async function exported(): Promise<readonly string[]> {
  const source = await TestEngine.open()
  for (const element of ELEMENTS) await source.write('set:large', 'add', [element])
  await source.engine.compact()
  await source.write('set:large', 'add', ['behind it'])
  await source.set('reg:1', 'one')
  let text = ''
  for await (const piece of exportLines(source.engine, { env: source.env, check: () => undefined })) text += piece
  return text.trim().split('\n')
}

async function imported(lines: readonly string[]): Promise<TestEngine> {
  const target = await TestEngine.open()
  await importLines(target.engine, pieces(lines), { env: target.env, check: () => undefined })
  return target
}

async function* pieces(lines: readonly string[], onPiece = (): void => undefined): AsyncGenerator<string, void> {
  for (const line of lines) {
    onPiece()
    yield `${line}\n`
  }
}

function kindOf(line: string): unknown {
  return (JSON.parse(line) as { kind: unknown }).kind
}

test('a large state is exported in parts and imported with an equal value', async () => {
  const lines = await exported()
  expect(lines.filter((line) => kindOf(line) === 'part').length).toBeGreaterThan(15)
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(400_000)
  const target = await imported(lines)
  expect([...(target.get('set:large') as Set<string>)].sort()).toEqual([...ELEMENTS, 'behind it'].sort())
  expect(target.get('reg:1')).toBe('one')
})

test('long lines are imported in more steps than short ones', async () => {
  const env = virtualEnv()
  let turn = 0
  const yielding = { ...env, yield: () => env.yield().then(() => void turn++) }
  const target = await TestEngine.open({ env: yielding })
  const lines = await exported()
  const turns = new Set<number>()
  const read = pieces(lines, () => void turns.add(turn))
  await importLines(target.engine, read, { env: yielding, check: () => undefined })
  expect(lines.length).toBeLessThan(50)
  expect(turns.size).toBeGreaterThan(5)
})

test.each([
  ['a part is missing', (lines: string[], at: number) => lines.splice(at, 1)],
  ['a part is of another key', (lines: string[], at: number) => (lines[at] = renamed(lines[at] ?? ''))],
  [
    'the snapshot is missing',
    (lines: string[]) =>
      lines.splice(
        lines.findIndex((line) => kindOf(line) === 'snapshot'),
        1,
      ),
  ],
])('an export in which %s is refused', async (_, edit) => {
  const lines = [...(await exported())]
  edit(
    lines,
    lines.findIndex((line) => kindOf(line) === 'part'),
  )
  await expect(imported(lines)).rejects.toMatchObject({ code: 'WARP_E_PROTOCOL' })
})

function renamed(line: string): string {
  return line.replace('"set:large"', '"set:other"')
}
