/**
 * The public names of every entry point. A change here is a change of the package's face: it belongs in the change log. To
 * accept it: `npx vitest run test/exports.test.ts -u`, and read the difference.
 */
import { describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { publicNames } from './support/package/public-names.ts'
import { sourceOf } from './support/tidy/entry-points.ts'
import { readFile } from './support/tidy/source-tree.ts'

const entries: Readonly<Record<string, string>> = manifest.exports

function namesOf(entry: string): string[] {
  return publicNames(readFile(sourceOf(entries[entry] ?? `no entry ${entry}`)))
}

describe('public names', () => {
  test('every entry point is listed here', () => {
    const listed = ['.', './crdt', './yjs', './automerge', './file', './memory', './conformance', './package.json']
    expect(Object.keys(entries)).toEqual(listed)
  })

  test('warp-engine', () => {
    expect(namesOf('.')).toMatchInlineSnapshot()
  })

  test('warp-engine/crdt', () => {
    expect(namesOf('./crdt')).toMatchInlineSnapshot()
  })

  test('warp-engine/yjs', () => {
    expect(namesOf('./yjs')).toMatchInlineSnapshot()
  })

  test('warp-engine/automerge', () => {
    expect(namesOf('./automerge')).toMatchInlineSnapshot()
  })

  test('warp-engine/file', () => {
    expect(namesOf('./file')).toMatchInlineSnapshot(`
      [
        "fileLog",
        "type FileLogOptions",
      ]
    `)
  })

  test('warp-engine/memory', () => {
    expect(namesOf('./memory')).toMatchInlineSnapshot()
  })

  test('warp-engine/conformance', () => {
    expect(namesOf('./conformance')).toMatchInlineSnapshot(`
      [
        "logFilesSuite",
        "type LogFilesSubject",
        "type LogFilesSuiteOptions",
      ]
    `)
  })

  test('an index only hands on names', () => {
    const indexes = Object.values(entries)
      .map(sourceOf)
      .filter((path) => path.endsWith('/index.ts'))
    expect(indexes.flatMap((path) => nothingButNames(readFile(path).text))).toEqual([])
    expect(nothingButNames(`/** What. */\nexport { a } from './a.ts'\nexport type {\n  B,\n} from './b.ts'\n`)).toEqual(
      [],
    )
    expect(nothingButNames(`export * from './a.ts'`)).toHaveLength(1)
    expect(nothingButNames(`export const a = 1`)).toHaveLength(1)
  })
})

/** What is left of an index when comments and named re-exports are taken away. */
function nothingButNames(text: string): string[] {
  const rest = text
    .replaceAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '')
    .replaceAll(/export (?:type )?\{[^}]*\} from '[^']+'/g, '')
    .trim()
  return rest === '' ? [] : [rest]
}
