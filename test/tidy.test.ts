/** What a linter cannot check. Each check is shown a bad example as well: a check that cannot fail proves nothing. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { importCycles } from './support/tidy/cycles.ts'
import { type Entry, missingEntryPoints } from './support/tidy/entry-points.ts'
import { switchedOff, unfinished } from './support/tidy/finish.ts'
import { invariantViolations } from './support/tidy/invariants.ts'
import { layerViolations } from './support/tidy/layers.ts'
import { anchorsOf, brokenLinks } from './support/tidy/links.ts'
import { withoutCommentsAndLiterals, worldViolations } from './support/tidy/neutrality.ts'
import { CHECK_FOLDERS, PRODUCT_FOLDERS, exists, readFile, readTree } from './support/tidy/source-tree.ts'

const ROOM_FILES_MAX = 12
const product = readTree(PRODUCT_FOLDERS, ['.ts'])
const checks = readTree(CHECK_FOLDERS, ['.ts', '.mjs'])
const tests = checks.filter((file) => file.path.endsWith('.test.ts'))
const documents = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'].filter(exists).map(readFile),
  ...readTree(['docs', 'bench', 'examples'], ['.md']),
]

function one(path: string, text: string): { path: string; text: string }[] {
  return [{ path, text }]
}

test('what is random in a test comes from the seed that the run prints, whether its file asks for it or not', () => {
  expect(fc.readConfigureGlobal()).toMatchObject({ seed: expect.any(Number) as number })
})

test('the tree that is checked is the tree that is there', () => {
  expect(product.map((file) => file.path)).toContain('crdt/warp-error.ts')
  expect(tests.map((file) => file.path)).toContain('test/tidy.test.ts')
  expect(documents.map((file) => file.path)).toContain('docs/architecture.md')
})

describe('imports point bin -> adapters -> src -> crdt, and from higher rooms of src/ to lower ones', () => {
  test('no import in this tree points outwards', () => {
    expect(layerViolations(product)).toEqual([])
  })

  test.each([
    ['crdt looks at src', 'crdt/a.ts', `import type { A } from '../src/a.ts'`],
    ['src looks at an adapter', 'src/a.ts', `export { a } from '../adapters/node/a.ts'`],
    ['src imports dynamically', 'src/a.ts', `const a = await import('../bin/a.ts')`],
    ['an adapter looks at another one', 'adapters/file/a.ts', `import { b } from '../node/b.ts'`],
    ['a store looks at another one', 'adapters/stores/sql/a.ts', `import { b } from '../redis/b.ts'`],
    ['an adapter looks at bin', 'adapters/file/a.ts', `import { b } from '../../bin/b.ts'`],
    ['a node: module in src', 'src/log/a.ts', `import fs from 'node:fs'`],
    ['a third party in src', 'src/a.ts', `import { pack } from 'msgpackr'`],
    ['a third party in crdt', 'crdt/register.ts', `import * as Y from 'yjs'`],
    ['a scoped third party in bin', 'bin/a.ts', `import * as A from '@automerge/automerge'`],
    ['commander outside of the command line', 'bin/demo/a.ts', `import { Command } from 'commander'`],
    ['fast-check outside of what draws random cases', 'testing/laws/a.ts', `import fc from 'fast-check'`],
    ['another third party in the command line', 'bin/cli/a.ts', `import chalk from 'chalk'`],
    ['a lower room looks at a higher one', 'src/log/a.ts', `import type { A } from '../store/a.ts'`],
    ['a room that is not in the plan', 'src/misc/a.ts', `import type { A } from './b.ts'`],
    ['the engine looks at the consistency kit', 'src/a.ts', `import { a } from '../testing/a.ts'`],
    ['test code in the product', 'src/a.ts', `import { b } from '../test/support/b.ts'`],
  ])('%s: refused', (_, path, text) => {
    expect(layerViolations(one(path, text))).toHaveLength(1)
  })

  test.each([
    ['inwards', 'bin/a.ts', `import { b } from '../adapters/file/b.ts'`],
    ['the conformance suites', 'adapters/file/a.ts', `import { b } from '../conformance/b.ts'`],
    ['what brokers have in common', 'adapters/nats/a.ts', `import { b } from '../broker/b.ts'`],
    ['the adapters that a preset puts together', 'adapters/presets/a.ts', `import { b } from '../mesh/b.ts'`],
    ['what presets have in common', 'adapters/nats/a.ts', `import { b } from '../presets/b.ts'`],
    ['a lower room', 'src/store/a.ts', `import { b } from '../log/b.ts'`],
    ['its own folder', 'adapters/file/a.ts', `import { b } from './b.ts'`],
    ['Node, at the edge', 'adapters/file/a.ts', `import fs from 'node:fs'`],
    ['a third party, at the edge', 'adapters/redis/a.ts', `import { createClient } from 'redis'`],
    ['commander, in the command line', 'bin/cli/a.ts', `import { Command } from 'commander'`],
    ['fast-check, where random cases are drawn', 'testing/arbitraries.ts', `import fc from 'fast-check'`],
    ['Yjs, in its own strategy', 'crdt/documents/yjs.ts', `import * as Y from 'yjs'`],
    ['a comment', 'crdt/a.ts', `// import { b } from '../src/b.ts'`],
  ])('%s: allowed', (_, path, text) => {
    expect(layerViolations(one(path, text))).toEqual([])
  })
})

describe('rooms', () => {
  test('src/ has no loose file but its composition, and no room of more than a dozen files', () => {
    const folders = new Map<string, string[]>()
    for (const { path } of product.filter((file) => file.path.startsWith('src/'))) {
      const folder = path.slice(0, path.lastIndexOf('/'))
      folders.set(folder, [...(folders.get(folder) ?? []), path])
    }
    expect(folders.get('src')?.sort()).toEqual(['src/engine.ts', 'src/index.ts', 'src/limits.ts', 'src/warp.ts'])
    expect([...folders].filter(([, files]) => files.length > ROOM_FILES_MAX).map(([folder]) => folder)).toEqual([])
  })
})

describe('no import cycles, type-only ones included', () => {
  test('this tree has no cycle', () => {
    expect(importCycles(product)).toEqual([])
  })

  test('a type-only cycle of two is found', () => {
    const a = { path: 'src/a.ts', text: `import type { B } from './b.ts'` }
    const b = { path: 'src/b.ts', text: `export type { A } from './a.ts'` }
    expect(importCycles([a, b])).toEqual(['src/a.ts -> src/b.ts -> src/a.ts'])
  })

  test('two ways to one file are no cycle', () => {
    const a = { path: 'src/a.ts', text: `import './b.ts'; import './c.ts'` }
    const b = { path: 'src/b.ts', text: `import './c.ts'` }
    expect(importCycles([a, b, { path: 'src/c.ts', text: '' }])).toEqual([])
  })
})

describe('crdt and src reach the world only through Env', () => {
  test('nothing in crdt or src touches the world directly', () => {
    expect(worldViolations(product.filter((file) => /^(crdt|src|testing)\//.test(file.path)))).toEqual([])
  })

  test.each([
    'const id = Math.random()',
    'const now = Date.now()',
    'const now = new Date()',
    'const now = new Date',
    'const now = Date()',
    'setTimeout(run, 5)',
    'const start = performance.now()',
    'if (process.env.CI) return',
    'Buffer.from(bytes)',
    'console.log(1)',
    'const text = `${process.pid}`',
    'globalThis.fetch(url)',
    'queueMicrotask(run)',
  ])('%s: refused', (text) => {
    expect(worldViolations(one('src/a.ts', text))).toHaveLength(1)
  })

  test.each([
    'const at = new Date(ms)',
    "const at = new Date('2020-01-01')",
    'if (value instanceof Date) return',
    'env.setTimeout(run)',
    '// Date.now() is not for us',
    '/** Survives the death of the process. */\nexport const a = 1',
    "throw new Error('process.exit, console and Buffer')",
    'const options = { process: 1 }',
    'this.#process()',
    'new DateRange()',
  ])('%s: allowed', (text) => {
    expect(worldViolations(one('src/a.ts', text))).toEqual([])
  })

  test('what is left of a source keeps its lines', () => {
    expect(withoutCommentsAndLiterals("/* a\n b */ const x = 'y'\n// c")).toBe("    \n      const x = '  \n    ")
  })
})

describe('files are finished', () => {
  test('no file says that it is unfinished', () => {
    expect(unfinished([...product, ...checks])).toEqual([])
    expect(unfinished(one('src/a.ts', '// TOD\x4f: later'))).toHaveLength(1)
    expect(unfinished(one('src/a.ts', 'const todoList = 1'))).toEqual([])
  })

  test('no test is switched off', () => {
    const others = tests.filter((file) => file.path !== 'test/tidy.test.ts')
    expect(switchedOff(others)).toEqual([])
    expect(switchedOff(one('test/a.test.ts', "test.only('a', run)"))).toEqual(['test/a.test.ts'])
    expect(switchedOff(one('test/a.test.ts', "test.skipIf(noTmpfs)('a', run)"))).toEqual([])
  })
})

describe('every entry point has its source', () => {
  test('every entry point of this package has its source', () => {
    expect(missingEntryPoints(manifest.exports, exists)).toEqual([])
  })

  test('a missing one is found, and one whose files are not of one bundle', () => {
    const types = { import: './lib/x.d.ts', require: './lib/x.d.cts' }
    const entry = (name: string): Entry => ({
      import: { types: types.import, default: `./lib/${name}.js` },
      require: { types: types.require, default: './lib/x.cjs' },
    })
    const entries = { './x': entry('x'), './crdt': entry('crdt'), './package.json': './package.json' }
    expect(missingEntryPoints(entries, exists)).toEqual([
      'exports["./x"]: a bundle does not exist',
      'exports["./crdt"]: a bundle does not exist',
    ])
  })
})

describe('links in the documents lead somewhere', () => {
  test('every link in this tree leads somewhere', () => {
    expect(brokenLinks(documents, exists)).toEqual([])
  })

  const known = (path: string): boolean => ['README.md', 'docs/a.md', 'docs'].includes(path)

  test.each(['[a](b.md)', '[a](a.md#nowhere)', '[a](#nowhere)', '<img src="x.svg">', '[a]: b.md', '![a](b.svg "b")'])(
    '%s: broken',
    (link) => {
      expect(brokenLinks(one('docs/a.md', `# Here\n${link}\n`), known)).toHaveLength(1)
    },
  )

  test.each([
    '[a](../README.md)',
    '[a](../docs/)',
    '[a](a.md#the-4th-thing-really)',
    '[a](#here-1)',
    '[a](https://example.org/x)',
    '`[a](b.md)`',
    '```\n[a](b.md)\n```',
  ])('%s: fine', (link) => {
    const text = `# Here\n## The 4th \`thing\`, really\n## Here\n${link}\n`
    expect(brokenLinks(one('docs/a.md', text), known)).toEqual([])
  })

  test('headings inside code are no headings', () => {
    expect([...anchorsOf('# A\n```sh\n# B\n```\n')]).toEqual(['a'])
  })
})

describe('docs/invariants.md and the tests cite each other', () => {
  test('every invariant names checks that exist, and every citation is listed', () => {
    expect(invariantViolations(readFile('docs/invariants.md').text, others(tests))).toEqual([])
  })

  const row = '| W06 OBSERVED-REMOVE | a concurrent add survives | `test/set.test.ts` › an add survives |'
  const set = { path: 'test/set.test.ts', text: "test('an add survives', () => {}) // W06" }

  test('a row with its test is fine', () => {
    expect(invariantViolations(row, [set])).toEqual([])
  })

  test('a test that is not there is found', () => {
    expect(invariantViolations(row, [{ ...set, text: "it('an add dies', () => {})" }])).toHaveLength(1)
  })

  test('a row without a check is found', () => {
    expect(invariantViolations('| W06 OBSERVED-REMOVE | what | by hand |', [])).toEqual(['W06 names no check'])
  })

  test('an id that a test cites and the document does not is found', () => {
    expect(invariantViolations('', [set])).toEqual(['test/set.test.ts cites W06; list it'])
  })

  test('names made from templates and tables are recognised', () => {
    const text = "for (const kind of kinds) test(`${kind}: survives`, () => {})\ntest.each(all)('%s lives', () => {})"
    const cells = '`test/a.test.ts` › a set: survives<br>`test/a.test.ts` › it lives'
    expect(invariantViolations(`| W01 X | what | ${cells} |`, [{ path: 'test/a.test.ts', text }])).toEqual([])
  })
})

/** The examples above cite ids of their own. */
function others(files: typeof tests): typeof tests {
  return files.map((file) =>
    file.path === 'test/tidy.test.ts' ? { ...file, text: file.text.replaceAll(/W\d\d/g, '') } : file,
  )
}
