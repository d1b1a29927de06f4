/** The packed tarball, installed and used as a user would, because the working tree is not what users get. */
import { execFile } from 'node:child_process'
import { cpSync, readFileSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { byExtent } from './support/extent.ts'
import { type Packed, packAndInstall } from './support/package/packed.ts'
import { temporaryFolder } from './support/temporary-folder.ts'
import { ROOT } from './support/tidy/source-tree.ts'

const run = promisify(execFile)

let packed: Packed

beforeAll(() => {
  packed = packAndInstall(temporaryFolder(afterAll))
})

const { ModuleKind, ModuleResolutionKind } = ts

/** The projects that users have: how modules are written and found. */
const PROJECTS = {
  'ESM, nodenext': { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext },
  'ESM, bundler': { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler },
  'CommonJS, node16': { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 },
  'CommonJS, node10': {
    module: ModuleKind.CommonJS,
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- many projects still resolve so
    moduleResolution: ModuleResolutionKind.Node10,
    ignoreDeprecations: '6.0',
    esModuleInterop: true,
  },
} as const satisfies Record<string, ts.CompilerOptions>

type Project = keyof typeof PROJECTS

/** Compiling takes seconds: `npm test` has one project of modules and one of CommonJS, CI has them all. */
const COMPILED = byExtent<readonly Project[]>({
  some: ['ESM, nodenext', 'CommonJS, node16'],
  all: Object.keys(PROJECTS) as Project[],
  soak: Object.keys(PROJECTS) as Project[],
})

/** Compiles the consumer's program; our declarations are checked with it, other people's are not. */
function compile(project: Project): { problems: string[]; program: string } {
  const folder = project.startsWith('ESM') ? packed.folder : packed.commonJs
  const outDir = path.join(folder, project.replace(/.*, /, ''))
  const program = ts.createProgram([path.join(folder, 'main.ts')], {
    ...PROJECTS[project],
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
    typeRoots: [path.join(packed.folder, 'node_modules/@types')],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    rootDir: folder,
    outDir,
  })
  const problems = ts.getPreEmitDiagnostics(program)
  program.emit()
  const ours = problems.filter(({ file }) => file === undefined || file.fileName.startsWith(packed.folder))
  return {
    problems: ours.map(
      (one) => `${one.file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}`,
    ),
    program: path.join(outDir, 'main.js'),
  }
}

describe('the packed tarball', () => {
  test.each(COMPILED)('a program compiles with it and runs: %s', async (project) => {
    const { problems, program } = compile(project)
    expect(problems).toEqual([])
    const { stdout, stderr } = await run(process.execPath, [program], { cwd: temporaryFolder() })
    expect(JSON.parse(stdout)).toEqual({ user: { name: 'Alice' }, visits: 3, made: true })
    expect(stderr).toBe('')
  })

  // A megabyte held until the port for Redis clients had all types and documents and guests came in beside it.
  test('is at most a megabyte and a quarter', () => {
    expect(statSync(packed.tarball).size).toBeLessThanOrEqual(1_250_000)
  })

  test('holds what is needed and nothing else', () => {
    const folders = new Set(packed.files.map((file) => file.split('/')[0]))
    // Comments and names of the sources are in the types and the bundles: the sources would be a third of
    // what everybody downloads.
    expect([...folders].sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'docs', 'lib', 'package.json'])
    expect(packed.files.filter((file) => /\.map$|^lib\/.*(?<!\.d)\.ts$/.test(file))).toEqual([])
  })

  test('has what its documents link to', () => {
    const files = new Set(packed.files)
    const dead = packed.files
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => {
        const text = readFileSync(path.join(packed.folder, 'node_modules/warp-engine', file), 'utf8')
        const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target = '']) => target)
        const isThere = (target: string): boolean => files.has(path.join(path.dirname(file), target))
        return targets.filter((target) => !isThere(target)).map((target) => `${file}: ${target}`)
      })
    expect(dead).toEqual([])
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
    const peers = [
      'kysely',
      'ioredis',
      'kafkajs',
      'keyv',
      'msgpackr',
      'prom-client',
      '@opentelemetry',
      '@nats-io',
      'ws',
      'unstorage',
      'express-session',
    ]
    for (const name of ['yjs', '@automerge', 'fast-check', ...peers])
      rmSync(path.join(folder, 'node_modules', name), { recursive: true })
    const npx = async (...parameters: string[]): Promise<string> =>
      (await run('npx', ['--no-install', 'warp', ...parameters], { cwd: folder })).stdout
    expect(await npx('--help')).toContain('Usage: warp')
    expect(await npx('set', 'city:1', 'Oslo', '--key', 'city:*=register')).toContain('version 1, logged')
    expect(await npx('demo', '--help')).toContain('yjs needs the package of that name')
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
    const parameters = [attw, packed.tarball, '--no-definitely-typed', '--format', 'ascii']
    // It succeeds silently as far as this test goes; what it finds wrong is on its standard output.
    const found = await run(process.execPath, parameters).then(
      () => '',
      (failure: unknown) => (failure as { stdout: string }).stdout,
    )
    expect(found).toBe('')
  })
})
