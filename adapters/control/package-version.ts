/**
 * The version in the nearest package.json above: this package's, from `bin/` and from `dist/bin/`
 * alike.
 */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export function packageVersion(): string {
  let manifest = new URL('../package.json', import.meta.url)
  while (!existsSync(manifest)) {
    const above = new URL('../package.json', manifest)
    if (above.href === manifest.href) throw new Error(`no package.json above ${fileURLToPath(import.meta.url)}`)
    manifest = above
  }
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}
