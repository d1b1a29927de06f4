/** Compiles code blocks, each a module of its own, in one program against the package as users get it. */
import ts from 'typescript'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type FencedBlock, nameOf } from './fenced-blocks.ts'
import { ROOT } from '../tidy/source-tree.ts'

export interface CompiledBlock {
  readonly block: FencedBlock
  readonly script: string
  /** What the compiler says, by the line in the document. */
  readonly problems: readonly string[]
}

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  types: ['node'],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
}

/** `folder` is an empty temporary one; the package and its peers are linked into it. */
export function compileBlocks(blocks: readonly FencedBlock[], folder: string): CompiledBlock[] {
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }')
  for (const scope of ['@automerge', '@opentelemetry'])
    mkdirSync(path.join(folder, 'node_modules', scope), { recursive: true })
  symlinkSync(ROOT, path.join(folder, 'node_modules', 'warp-engine'), 'junction')
  const peers = ['yjs', 'fast-check', '@automerge/automerge', 'kysely', 'ioredis', 'keyv', 'msgpackr']
  const beside = ['cache-manager', 'express', 'express-session', 'unstorage']
  for (const name of ['@types', 'pg', 'prom-client', '@opentelemetry/api', ...peers, ...beside]) {
    symlinkSync(path.join(ROOT, 'node_modules', name), path.join(folder, 'node_modules', name), 'junction')
  }
  const sources = blocks.map((block, i) => {
    const source = path.join(folder, `block-${i}.ts`)
    writeFileSync(source, block.code)
    return source
  })
  const program = ts.createProgram(sources, { ...OPTIONS, rootDir: folder, outDir: folder })
  const problems = ts.getPreEmitDiagnostics(program)
  program.emit()
  return blocks.map((block, i) => ({
    block,
    script: path.join(folder, `block-${i}.js`),
    problems: problems
      .filter(({ file }) => file === undefined || path.basename(file.fileName) === `block-${i}.ts`)
      .map((problem) => describe(problem, block)),
  }))
}

function describe(problem: ts.Diagnostic, block: FencedBlock): string {
  const text = ts.flattenDiagnosticMessageText(problem.messageText, ' ')
  if (problem.file === undefined || problem.start === undefined) return `${nameOf(block)}: ${text}`
  const { line } = problem.file.getLineAndCharacterOfPosition(problem.start)
  return `${block.path}:${block.line + line}: ${text}`
}
