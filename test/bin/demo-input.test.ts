/** What the demo is given: options and histories. */
import { build } from 'esbuild'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { causalityOf } from '../../bin/demo/causality.ts'
import { parseRequest } from '../../bin/demo/command-line.ts'
import { type Transaction, readTrace } from '../../bin/demo/authors/trace-file.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { ROOT } from '../support/tidy/source-tree.ts'

function fileWith(content: string | Uint8Array, name = 'trace.json'): string {
  const file = path.join(temporaryFolder(), name)
  writeFileSync(file, content)
  return file
}

describe('options', () => {
  test('a history is written with text unless another strategy is named', () => {
    expect(parseRequest(['--trace', 'a'])).toEqual({ kind: 'trace', path: 'a', strategy: 'text' })
    expect(parseRequest(['--trace=a', '--strategy=yjs'])).toEqual({ kind: 'trace', path: 'a', strategy: 'yjs' })
  })

  test.each([
    [['--strategy', 'yjs'], '--strategy goes with --trace'],
    [['--trace', 'a', '--strategy', 'loro'], "'loro'; it may be text or yjs"],
    [['--trace'], 'argument missing'],
    [['file.json'], "Unexpected argument 'file.json'"],
  ])('%j is refused', (parameters, message) => {
    expect(() => parseRequest(parameters)).toThrow(message)
  })
})

describe('a file', () => {
  const first = { parents: [], agent: 0, patches: [[0, 0, 'a']] }
  const history = (...txns: unknown[]): string => JSON.stringify({ endContent: 'a', txns })

  test('may be gzipped if its name says so', () => {
    expect(readTrace(fileWith(gzipSync(history(first)), 'a.json.gz')).transactions).toEqual([first])
    expect(() => readTrace(fileWith(history(first), 'a.json.gz'))).toThrow('is not gzipped')
  })

  test.each([
    ['{', 'is not JSON'],
    ['[]', 'endContent is not a string'],
    ['null', 'is not an object'],
    ['{"endContent":"","txns":[]}', 'txns is not a list with entries'],
    [history(first, 1), 'txns[1]: it is not an object'],
    [history({ ...first, agent: 64 }), 'txns[0]: agent is not a number from 0 to 63'],
    [history({ ...first, parents: [0] }), 'txns[0]: parents is not a list of earlier transactions'],
    [history(first, { ...first, patches: [[-1, 0, 'a']] }), 'txns[1]: patches is not a list of'],
    [history({ ...first, patches: [[0, 0]] }), 'txns[0]: patches is not a list of'],
  ])('%s is refused', (content, message) => {
    expect(() => readTrace(fileWith(content))).toThrow(message)
  })
})

describe('causality', () => {
  const trace = (...txns: readonly (readonly [agent: number, ...parents: number[]])[]) => ({
    endContent: '',
    agentsCount: 2,
    hasSurrogates: false,
    transactions: txns.map(([agent, ...parents]): Transaction => ({ agent, parents, patches: [] })),
  })

  //   author 0:  0 ─ 1 ───── 4      author 1 had seen 0 when it wrote 2 and 3,
  //               \         /       author 0 had seen 2 but not 3 when it wrote 4
  //   author 1:    2 ─ 3   2
  test('counts the ancestors per author and names what was seen last', () => {
    const { known, isSeenLast } = causalityOf(trace([0], [0, 0], [1, 0], [1, 2], [0, 1, 2]))
    expect(known).toEqual([[0, 0], [1, 0], [1, 0], [1, 1], [2, 1]]) // prettier-ignore
    expect(isSeenLast).toEqual([true, false, true, false, false])
  })

  test('nobody writes without having seen what they wrote before', () => {
    expect(() => causalityOf(trace([0], [0]))).toThrow('txns[1]: author 0 had not seen all of their own')
  })
})

test.each(['bin/demo/run-demo.ts', 'bin/demo/replicas/replica-process.ts', 'bin/demo/authors/author-process.ts'])(
  '%s loads Yjs when it is wanted, and works where it is not installed',
  async (entry) => {
    const { metafile } = await build({
      ...{ absWorkingDir: ROOT, entryPoints: [entry], bundle: true, write: false, metafile: true, splitting: true },
      ...{ format: 'esm', platform: 'node', outdir: 'unused', packages: 'external', logLevel: 'silent' },
    })
    const loaded = new Set([entry])
    for (const file of loaded)
      for (const { path: imported, kind } of metafile.inputs[file]?.imports ?? [])
        if (kind === 'import-statement') loaded.add(imported)
    expect([...loaded].filter((file) => /yjs/.test(file))).toEqual([])
    expect(loaded.size).toBeGreaterThan(5)
  },
)
