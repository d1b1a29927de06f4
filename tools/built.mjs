/**
 * Makes sure that `dist/` holds what the sources say, and does nothing when it does: for the demo,
 * the benches and the tests that run what users get. It emits without checking types (about a
 * second); `npm run typecheck` checks them, and `npm run build` does both.
 *
 * Run it, or import `ensureBuilt`.
 */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const DIST = path.join(ROOT, 'dist')
const STAMP = path.join(DIST, '.built')
const SOURCES = ['crdt', 'src', 'testing', 'adapters', 'bin', 'bench', 'test']
const CONFIGS = ['tsconfig.json', 'tsconfig.built.json', 'package-lock.json']

/** @returns {boolean} whether anything had to be built */
export function ensureBuilt() {
  const startedAt = new Date()
  if (existsSync(STAMP) && newestSourceMs() <= statSync(STAMP).mtimeMs) return false
  // Beside `dist/` and as deep, then moved into it file by file: who runs from there meanwhile
  // finds whole files.
  const fresh = `${DIST}-${process.pid}`
  try {
    const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
    const config = path.join(ROOT, 'tsconfig.built.json')
    execFileSync(process.execPath, [compiler, '-p', config, '--outDir', fresh], { stdio: 'inherit' })
    for (const name of filesUnder(fresh, false)) moveInto(DIST, path.relative(fresh, name), name)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
  removeOrphans()
  writeFileSync(STAMP, '')
  // What was saved while the compiler ran counts as newer.
  utimesSync(STAMP, startedAt, startedAt)
  return true
}

function newestSourceMs() {
  const times = CONFIGS.map((name) => statSync(path.join(ROOT, name)).mtimeMs)
  for (const folder of SOURCES) {
    // A folder's own time changes when a file in it is removed.
    for (const name of filesUnder(path.join(ROOT, folder), true)) {
      if (name.endsWith('.ts') || !path.extname(name))
        times.push(statSync(name, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    }
  }
  return Math.max(...times)
}

/**
 * @param {string} folder
 * @param {string} name
 * @param {string} from
 */
function moveInto(folder, name, from) {
  const to = path.join(folder, name)
  if (existsSync(to) && readFileSync(to).equals(readFileSync(from))) return
  mkdirSync(path.dirname(to), { recursive: true })
  renameSync(from, to)
}

/** Output whose source is gone would still be found by imports. */
function removeOrphans() {
  for (const name of filesUnder(DIST, false)) {
    const stem = path.relative(DIST, name).replace(/\.(js|d\.ts)(\.map)?$/, '')
    if (!name.endsWith('.built') && !existsSync(path.join(ROOT, `${stem}.ts`))) rmSync(name)
  }
}

/**
 * @param {string} folder
 * @param {boolean} withFolders
 * @returns {string[]}
 */
function filesUnder(folder, withFolders) {
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true })
  const wanted = entries.filter((entry) => withFolders || entry.isFile())
  return wanted.map((entry) => path.join(entry.parentPath, entry.name))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) ensureBuilt()
