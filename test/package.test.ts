/** The packed tarball, installed and used as a user would, because the working tree is not what users get. */
import { execFile } from 'node:child_process'
import { cpSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Packed, packAndInstall } from './support/package/packed.ts'
import { temporaryFolder } from './support/temporary-folder.ts'
import { ROOT } from './support/tidy/source-tree.ts'

const run = promisify(execFile)

let packed: Packed

beforeAll(() => {
  packed = packAndInstall(temporaryFolder(afterAll))
})

const RESOLUTIONS = {
  nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
} as const

/** Compiles the consumer's program; our declarations are checked with it, other people's are not. */
function compile(resolution: keyof typeof RESOLUTIONS): string[] {
  const program = ts.createProgram([path.join(packed.folder, 'main.ts')], {
    ...RESOLUTIONS[resolution],
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [path.join(packed.folder, 'node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    outDir: path.join(packed.folder, resolution),
  })
  const problems = ts.getPreEmitDiagnostics(program)
  program.emit()
  return problems
    .filter(({ file }) => file === undefined || file.fileName.startsWith(packed.folder))
    .map(({ file, messageText }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
}

describe('the packed tarball', () => {
  test.each(['nodenext', 'bundler'] as const)('a program compiles with it under %s, and runs', async (resolution) => {
    expect(compile(resolution)).toEqual([])
    const program = path.join(packed.folder, resolution, 'main.js')
    const { stdout } = await run(process.execPath, [program], { cwd: temporaryFolder() })
    expect(JSON.parse(stdout)).toEqual({ user: { name: 'Alice' }, visits: 3, made: true })
  })

  test('holds what is needed and nothing else', () => {
    const kinds = new Set(
      packed.files.map((file) =>
        file
          .split('/')
          .slice(0, file.startsWith('dist/') ? 2 : 1)
          .join('/'),
      ),
    )
    expect([...kinds].sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'adapters',
      'bin',
      'crdt',
      'dist/adapters',
      'dist/bin',
      'dist/crdt',
      'dist/src',
      'docs',
      'package.json',
      'src',
    ])
  })

  test('has one dependency at run time, which has none', () => {
    const manifestOf = (name: string): { dependencies?: object } =>
      JSON.parse(readFileSync(path.join(packed.folder, 'node_modules', name, 'package.json'), 'utf8'))
    expect(Object.keys(manifestOf('warp-engine').dependencies ?? {})).toEqual(['commander'])
    expect(manifestOf('commander').dependencies ?? {}).toEqual({})
  })

  test('brings the command, which runs without the optional peers', async () => {
    const folder = temporaryFolder()
    cpSync(path.join(packed.folder, 'node_modules'), path.join(folder, 'node_modules'), { recursive: true })
    for (const name of ['yjs', '@automerge', 'fast-check'])
      rmSync(path.join(folder, 'node_modules', name), { recursive: true })
    const npx = async (...parameters: string[]): Promise<string> =>
      (await run('npx', ['--no-install', 'warp', ...parameters], { cwd: folder })).stdout
    expect(await npx('--help')).toContain('Usage: warp')
    expect(await npx('set', 'city:1', 'Oslo', '--key', 'city:*=register')).toContain('version 1, logged')
  })

  test('publint has nothing to say', async () => {
    const { messages } = await publint({
      pkgDir: path.join(packed.folder, 'node_modules/warp-engine'),
      pack: false,
      strict: true,
    })
    expect(messages).toEqual([])
  })

  test('its types resolve for everybody who imports it', async () => {
    const attw = path.join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    const parameters = [attw, packed.tarball, '--profile', 'esm-only', '--no-definitely-typed', '--format', 'ascii']
    // It succeeds silently as far as this test goes; what it finds wrong is on its standard output.
    const found = await run(process.execPath, parameters).then(
      () => '',
      (failure: unknown) => (failure as { stdout: string }).stdout,
    )
    expect(found).toBe('')
  })
})
