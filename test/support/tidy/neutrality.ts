/**
 * The ban on the outside world in `crdt/` and `src/`, checked a second time and in another way than the linter does: by
 * patterns over the source without its comments and literals. An `eslint-disable` cannot switch this one off.
 */
import ts from 'typescript'
import type { TextFile } from './source-tree.ts'

const GLOBALS = [
  'process',
  'Buffer',
  'console',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'globalThis',
  'crypto',
  'WeakRef',
  'FinalizationRegistry',
]

/** Not a property (`a.process`), not part of a longer name, not a key (`process: 1`). */
const banned = new RegExp(String.raw`(?<![.\w$#])(?:${GLOBALS.join('|')})\b(?!\s*\??:)`, 'g')
const clocks =
  /\bMath\s*\.\s*random\b|\bDate\s*\.\s*now\b|\bnew\s+Date\b(?!\s*\(\s*[^)\s])|(?<!new\s+)(?<![.\w$#])Date\s*\(/g

export function worldViolations(files: readonly TextFile[]): string[] {
  return files.flatMap((file) => {
    const code = withoutCommentsAndLiterals(file.text)
    return [...code.matchAll(banned), ...code.matchAll(clocks)].map(
      (found) => `${file.path}:${lineOf(code, found.index)}: ${found[0].trim()}`,
    )
  })
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

/** Blanks what is not code, keeping every line where it is. */
export function withoutCommentsAndLiterals(text: string): string {
  const source = ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, false)
  let code = ''

  function visit(node: ts.Node): void {
    // A doc comment is a node, and leading trivia of the token behind it as well: once is enough.
    if (ts.isJSDoc(node)) return
    const children = node.getChildren(source)
    if (children.length > 0) {
      for (const child of children) visit(child)
      return
    }
    const start = node.getStart(source)
    code += blank(text.slice(node.pos, start))
    const token = text.slice(start, node.end)
    code += isLiteral(node) ? `'${blank(token.slice(1))}` : token
  }

  visit(source)
  return code
}

function isLiteral(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node) || ts.isRegularExpressionLiteral(node)
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, ' ')
}
