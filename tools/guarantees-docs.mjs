/** Writes the table of docs/guarantees.md anew: `npm run docs:guarantees`. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ensureBuilt } from './built.mjs'
import { withTable } from './guarantees/table.mjs'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const DOCUMENT = path.join(ROOT, 'docs/guarantees.md')

ensureBuilt()
const { capabilityRows } = await import(
  pathToFileURL(path.join(ROOT, 'dist/test/support/docs/capability-rows.js')).href
)
writeFileSync(DOCUMENT, withTable(readFileSync(DOCUMENT, 'utf8'), await capabilityRows()))
