/** Writes the list of commands in docs/sidecar.md anew from their table: `npm run docs:sidecar`. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ensureBuilt } from './built.mjs'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const PAGE = path.join(ROOT, 'docs/sidecar.md')
const HEADING = '## The commands\n'

ensureBuilt()
const { commandTable } = await import(pathToFileURL(path.join(ROOT, 'dist/adapters/resp/commands/table.js')).href)
/** @type {Map<string, string[]>} */
const groups = new Map()
for (const { name, group } of commandTable().all) groups.set(group, [...(groups.get(group) ?? []), name])
const rows = [...groups]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([group, names]) => `| ${group} | ${names.join(', ')} |`)
const page = readFileSync(PAGE, 'utf8')
const before = page.includes(HEADING) ? page.slice(0, page.indexOf(HEADING)) : `${page}\n`
const said = `Made from the table of commands by \`npm run docs:sidecar\`. Everything else is an unknown command, as Redis says.\n`
writeFileSync(PAGE, `${before}${HEADING}\n${said}\n| group | commands |\n|---|---|\n${rows.join('\n')}\n`)
