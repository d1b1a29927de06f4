/**
 * Removes a file, a link or a socket; one that is not there is fine.
 *
 * Not `rmSync`: once that has removed a socket, the module loader of Node 20 takes links for what
 * they are called, not for what they point to. Packages that are linked into `node_modules`, as pnpm
 * does, then do not find what they import.
 */
import { unlinkSync } from 'node:fs'

export function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
