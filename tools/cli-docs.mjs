/** Writes docs/cli.md anew from the command itself: `npm run docs:cli`. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ensureBuilt } from './built.mjs'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))

ensureBuilt()
/** @param {string} name */
const built = (name) => import(pathToFileURL(path.join(ROOT, 'dist/bin/cli', name)).href)
const [{ cliDocument }, { COMMANDS }] = await Promise.all([built('program/document.js'), built('program/commands.js')])
writeFileSync(path.join(ROOT, 'docs/cli.md'), cliDocument(COMMANDS))
