/** `package.json#exports` against the sources that the entries are compiled from. */

/** Entries whose source does not exist. */
export function missingEntryPoints(
  entries: Readonly<Record<string, string>>,
  exists: (path: string) => boolean,
): string[] {
  return Object.entries(entries).flatMap(([name, target]) => {
    const source = sourceOf(target)
    return exists(source) ? [] : [`exports["${name}"]: ${source} does not exist`]
  })
}

/** The file that `dist/…js` is compiled from. */
export function sourceOf(target: string): string {
  return target.replace(/^\.\//, '').replace(/^dist\/(.*)\.js$/, '$1.ts')
}
