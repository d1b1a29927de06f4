/** `package.json#exports` against the sources that the entry points are bundled from. */
import { ENTRIES } from '../../../tools/entry-points.mjs'

/** An entry of `package.json#exports`: one file, or one for `import` and one for `require`. */
export type Entry =
  string | Readonly<Record<'import' | 'require', { readonly types: string; readonly default: string }>>

/** Entries whose source does not exist, and files that are not those of the entry's bundle. */
export function missingEntryPoints(
  entries: Readonly<Record<string, Entry>>,
  exists: (path: string) => boolean,
): string[] {
  return Object.entries(entries).flatMap(([name, entry]) => {
    const source = sourceOf(entry)
    return source !== undefined && exists(source) ? [] : [`exports["${name}"]: ${source ?? 'a bundle'} does not exist`]
  })
}

/** The file that an entry is bundled from; `undefined` if its four files are not those of one bundle. */
export function sourceOf(entry: Entry): string | undefined {
  if (typeof entry === 'string') return entry.replace(/^\.\//, '')
  const name = /^\.\/lib\/(.*)\.js$/.exec(entry.import.default)?.[1] ?? ''
  const expected = {
    import: { types: `./lib/${name}.d.ts`, default: `./lib/${name}.js` },
    require: { types: `./lib/${name}.d.cts`, default: `./lib/${name}.cjs` },
  }
  return JSON.stringify(entry) === JSON.stringify(expected) ? ENTRIES[name] : undefined
}
