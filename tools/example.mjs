/**
 * Runs an example, as soon as what it imports has been built: `npm run example shopping-cart`. Without a name it
 * says which there are.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureBundled } from './bundle.mjs'

const EXAMPLES = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), 'examples')

const [name = ''] = process.argv.slice(2)
const names = readdirSync(EXAMPLES, { withFileTypes: true }).flatMap((one) => (one.isDirectory() ? [one.name] : []))
if (names.includes(name)) {
  await ensureBundled()
  process.exitCode =
    spawnSync(process.execPath, [path.join(EXAMPLES, name, 'index.mjs')], { stdio: 'inherit' }).status ?? 1
} else {
  console.error(
    `${name === '' ? 'which one?' : `there is no example '${name}';`} npm run example NAME: ${names.join(', ')}`,
  )
  process.exitCode = 2
}
