/** The files of the project as text, by their path from the root with `/` between the parts. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export interface TextFile {
  readonly path: string
  readonly text: string
}

export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url))

export const PRODUCT_FOLDERS: readonly string[] = ['crdt', 'src', 'testing', 'adapters', 'bin']
export const CHECK_FOLDERS: readonly string[] = ['test', 'property-tests', 'bench', 'tools']

/** All files below the folders whose name ends so. Folders that do not exist hold none. */
export function readTree(folders: readonly string[], ends: readonly string[]): TextFile[] {
  const files: TextFile[] = []
  for (const folder of folders) {
    if (!existsSync(path.join(ROOT, folder))) continue
    for (const entry of readdirSync(path.join(ROOT, folder), { withFileTypes: true, recursive: true })) {
      if (!entry.isFile() || !ends.some((end) => entry.name.endsWith(end))) continue
      const full = path.join(entry.parentPath, entry.name)
      files.push({ path: path.relative(ROOT, full).replaceAll(path.sep, '/'), text: readFileSync(full, 'utf8') })
    }
  }
  return files
}

export function readFile(name: string): TextFile {
  return { path: name, text: readFileSync(path.join(ROOT, name), 'utf8') }
}

export function exists(name: string): boolean {
  return existsSync(path.join(ROOT, name))
}
