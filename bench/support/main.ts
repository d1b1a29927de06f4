/**
 * `npm run bench [-- names…] [--smoke | --large] [--write-docs]`. Every bench runs in a process of its own,
 * so that none inherits another one's heap or what the compiler has learnt from it. Names choose
 * benches by parts of their file names.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadResult, writeDocuments } from './results.ts'

const parameters = process.argv.slice(2)
const isSmoke = parameters.includes('--smoke')
const isLarge = parameters.includes('--large')
const isWritingDocuments = parameters.includes('--write-docs')
const chosen = parameters.filter((parameter) => !parameter.startsWith('--'))
const unknown = parameters.filter(
  (name) => name.startsWith('--') && !['--smoke', '--large', '--write-docs'].includes(name),
)
if (unknown.length > 0 || (isSmoke && (isLarge || isWritingDocuments))) {
  console.error('npm run bench [-- names…] [--smoke | [--large] [--write-docs]]')
  process.exit(2)
}

const benches = readdirSync(new URL('../', import.meta.url))
  .filter((file) => file.endsWith('.bench.js'))
  .map((file) => file.replace(/\.bench\.js$/, ''))
  .filter((name) => chosen.length === 0 || chosen.some((part) => name.includes(part)))
  .sort()

const one = fileURLToPath(new URL('one.js', import.meta.url))
const failed = benches.filter((bench) => {
  const mode = isSmoke ? ['--smoke'] : isLarge ? ['--large'] : []
  const { status } = spawnSync(process.execPath, ['--expose-gc', one, bench, ...mode], { stdio: 'inherit' })
  return status !== 0
})

if (isWritingDocuments) {
  writeDocuments(benches.filter((bench) => !failed.includes(bench)).map(loadResult))
}
console.log(
  `${benches.length - failed.length} of ${benches.length} benches ran${failed.length > 0 ? `; failed: ${failed.join(', ')}` : ''}`,
)
if (failed.length > 0 || benches.length === 0) process.exit(1)
