/** Every code block of the documents compiles against the built package, and runs. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { type CompiledBlock, compileBlocks } from './support/docs/compile-blocks.ts'
import { type FencedBlock, fencedBlocks, nameOf, uncheckable, unknownScripts } from './support/docs/fenced-blocks.ts'
import { temporaryFolder } from './support/temporary-folder.ts'
import { ROOT, exists, readFile, readTree } from './support/tidy/source-tree.ts'

const documents = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'].filter(exists).map(readFile),
  ...readTree(['docs', 'bench', 'examples'], ['.md']),
]
const blocks = documents.flatMap(fencedBlocks)
const scripts = Object.keys(manifest.scripts)

/** A block per name, written as a document would have it. */
function blockOf(info: string, code: string): FencedBlock[] {
  return fencedBlocks({ path: 'docs/example.md', text: `# Example\n\n\`\`\`${info}\n${code}\n\`\`\`\n` })
}

async function run(compiled: readonly CompiledBlock[]): Promise<string[]> {
  if (compiled.length === 0) return []
  const runner = path.join(ROOT, 'test/support/docs/run-blocks.mjs')
  const child = promisify(execFile)(process.execPath, [runner, ...compiled.map(({ script }) => script)])
  const { stdout } = await child.catch((failure: unknown) => failure as { stdout: string })
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  const results = new Map(
    lines.map((line) => {
      const { script, error } = JSON.parse(line) as { script: string; error?: string }
      return [script, error ?? 'ran'] as const
    }),
  )
  return compiled.flatMap(({ block, script }) => {
    const result = results.get(script) ?? 'was not reached'
    return result === 'ran' ? [] : [`${nameOf(block)}: ${result}`]
  })
}

describe('code blocks in the documents', () => {
  test('every block is in a language that is checked', () => {
    expect(uncheckable(blocks)).toEqual([])
  })

  test('every script that a shell block calls exists', () => {
    expect(unknownScripts(blocks, scripts)).toEqual([])
  })

  test('every ts block compiles and runs', async () => {
    const compiled = compileBlocks(
      blocks.filter(({ info }) => info === 'ts'),
      temporaryFolder(),
    )
    expect(compiled.flatMap(({ problems }) => problems)).toEqual([])
    expect(await run(compiled)).toEqual([])
  })
})

describe('a bad block is found', () => {
  test('in a language that would escape the check', () => {
    expect(uncheckable(blockOf('ts ignore', 'x'))).toEqual(['docs/example.md:4: ```ts ignore'])
    expect(uncheckable(blockOf('typescript', 'x'))).toHaveLength(1)
    expect(uncheckable(blockOf('ts', 'x'))).toEqual([])
  })

  test('that calls a script which does not exist', () => {
    const code = 'npm ci && npm run --silent nonsense\nnpm test'
    expect(unknownScripts(blockOf('sh', code), scripts)).toEqual(['docs/example.md:4: npm run nonsense'])
  })

  test('that does not compile, with its line in the document', () => {
    const [compiled] = compileBlocks(blockOf('ts', `const a = 1\nconst b: string = a`), temporaryFolder())
    expect(compiled?.problems).toEqual([expect.stringMatching(/^docs\/example\.md:5: Type 'number'/)])
  })

  test('that throws, or never ends, while others run', async () => {
    const bad = [
      ...blockOf('ts', `console.log('{')`),
      ...blockOf('ts', `throw new Error('no')`),
      ...blockOf('ts', `await new Promise<never>(() => undefined)`),
    ]
    const problems = await run(compileBlocks(bad, temporaryFolder()))
    expect(problems).toEqual([expect.stringContaining('Error: no'), expect.stringContaining('never comes')])
  })
})
