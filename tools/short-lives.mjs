/** `npm run short-lives [-- --lives N] [--pause MS]`: see test/chaos/short-lives-process.ts. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureBuilt } from './built.mjs'

ensureBuilt()
const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const program = path.join(ROOT, 'dist/test/chaos/short-lives-process.js')
const { status } = spawnSync(process.execPath, [program, ...process.argv.slice(2)], { stdio: 'inherit' })
process.exit(status ?? 1)
