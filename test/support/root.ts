/** Where the project is, seen from the sources and from `dist/` alike. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** This file is `test/support/root.ts`, or the same below `dist/`. */
const HERE = fileURLToPath(new URL('../..', import.meta.url))

export const DIST: string = path.basename(HERE) === 'dist' ? HERE : path.join(HERE, 'dist')
export const ROOT: string = path.dirname(DIST)
