/** Import cycles. One is reported per edge that closes it, as the path around. */
import type { TextFile } from './source-tree.ts'
import { importsOf } from './imports.ts'

export function importCycles(files: readonly TextFile[]): string[] {
  const edges = new Map(files.map((file) => [file.path, importsOf(file).map((edge) => edge.to)]))
  const cycles: string[] = []
  const done = new Set<string>()
  const trail: string[] = []

  function visit(path: string): void {
    const at = trail.indexOf(path)
    if (at >= 0) cycles.push([...trail.slice(at), path].join(' -> '))
    if (at >= 0 || done.has(path)) return
    trail.push(path)
    for (const next of edges.get(path) ?? []) visit(next)
    trail.pop()
    done.add(path)
  }

  for (const path of edges.keys()) visit(path)
  return cycles
}
