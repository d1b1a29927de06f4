/** What a source file imports, type-only and dynamic imports included, as the compiler's own scanner sees it. */
import ts from 'typescript'
import path from 'node:path'
import type { TextFile } from './source-tree.ts'

export interface Import {
  readonly from: string
  /** A path from the root for relative imports, otherwise the specifier as written. */
  readonly to: string
}

export function importsOf(file: TextFile): Import[] {
  const { importedFiles } = ts.preProcessFile(file.text, true, true)
  return importedFiles.map(({ fileName }) => ({
    from: file.path,
    to: fileName.startsWith('.') ? path.posix.join(path.posix.dirname(file.path), fileName) : fileName,
  }))
}
