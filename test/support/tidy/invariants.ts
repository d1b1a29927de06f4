/**
 * `docs/invariants.md` against the tests, both ways. A row of its tables is
 *
 *     | W06 OBSERVED-REMOVE | what holds | `test/crdt/set.test.ts` › a concurrent add survives<br>`…` › … |
 *
 * Every row names at least one check; every check exists in the file that is named; and an id that a test cites is in the
 * document with that test's file beside it.
 */
import ts from 'typescript'
import type { TextFile } from './source-tree.ts'

export interface Check {
  readonly file: string
  readonly name: string
}

export interface Invariant {
  readonly id: string
  readonly checks: readonly Check[]
}

const ROW = /^\| *([A-Z]\d{1,2}) [^|]*\|(?:[^|]*)\|(.*)\|\s*$/
const CHECK = /^`([^`]+)` › (.+)$/
const CITED = /\bW\d\d\b/g

export function parseInvariants(text: string): Invariant[] {
  return text.split('\n').flatMap((line) => {
    const [, id, cell] = ROW.exec(line) ?? []
    return id === undefined ? [] : [{ id, checks: parseChecks(cell ?? '') }]
  })
}

function parseChecks(cell: string): Check[] {
  return cell.split('<br>').flatMap((part) => {
    const [, file, name] = CHECK.exec(part.trim()) ?? []
    return file === undefined || name === undefined ? [] : [{ file, name }]
  })
}

export function invariantViolations(document: string, tests: readonly TextFile[]): string[] {
  const invariants = parseInvariants(document)
  return [...repeatedIds(invariants), ...missingChecks(invariants, tests), ...missingRows(invariants, tests)]
}

function repeatedIds(invariants: readonly Invariant[]): string[] {
  const ids = invariants.map((invariant) => invariant.id)
  return ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `${id} is listed twice`)
}

function missingChecks(invariants: readonly Invariant[], tests: readonly TextFile[]): string[] {
  const titles = new Map(tests.map((file) => [file.path, testTitles(file.text)]))
  return invariants.flatMap(({ id, checks }) => {
    if (checks.length === 0) return [`${id} names no check`]
    const missing = checks.filter(({ file, name }) => titles.get(file)?.some((title) => title.test(name)) !== true)
    return missing.map(({ file, name }) => `${id}: ${file} has no test named "${name}"`)
  })
}

function missingRows(invariants: readonly Invariant[], tests: readonly TextFile[]): string[] {
  const listed = new Set(invariants.flatMap(({ id, checks }) => checks.map(({ file }) => `${id} ${file}`)))
  return tests.flatMap((file) => {
    const cited = new Set([...file.text.matchAll(CITED)].map((found) => found[0]))
    return [...cited].filter((id) => !listed.has(`${id} ${file.path}`)).map((id) => `${file.path} cites ${id}; list it`)
  })
}

/** The names of the tests in a file. What a template or `.each` fills in matches anything. */
export function testTitles(text: string): RegExp[] {
  const source = ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, false)
  const titles: RegExp[] = []

  function visit(node: ts.Node): void {
    const title = ts.isCallExpression(node) && isTest(node.expression) ? node.arguments[0] : undefined
    const pattern = title === undefined ? undefined : titlePattern(title)
    if (pattern !== undefined) titles.push(pattern)
    ts.forEachChild(node, visit)
  }

  visit(source)
  return titles
}

/** `test(…)`, `it(…)`, `test.skipIf(…)(…)`, `test.each(…)(…)`. */
function isTest(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return callee.text === 'test' || callee.text === 'it'
  if (ts.isCallExpression(callee) || ts.isPropertyAccessExpression(callee)) return isTest(callee.expression)
  return false
}

function titlePattern(title: ts.Expression): RegExp | undefined {
  if (ts.isStringLiteralLike(title)) return exactly([title.text])
  if (!ts.isTemplateExpression(title)) return undefined
  return exactly([title.head.text, ...title.templateSpans.map((span) => span.literal.text)])
}

function exactly(parts: readonly string[]): RegExp {
  const filled = parts.map((part) => escaped(part).replaceAll(/%[sdifjo]|\\\$\w+/g, '.+'))
  return new RegExp(`^${filled.join('.+')}$`)
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}
