/** The package as npm would publish it, installed in a folder of its own without a network. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from '../tidy/source-tree.ts'

export interface Packed {
  /** The folder of a consumer: a package with a program of its own that has installed the tarball. */
  readonly folder: string
  /** A package inside of that folder whose program is in CommonJS. */
  readonly commonJs: string
  readonly tarball: string
  /** What is in the tarball. */
  readonly files: readonly string[]
}

/** What npm calls on its own account; a login or a proxy that the tests inherit has nothing to do with this. */
const QUIET = ['--no-audit', '--no-fund', '--no-update-notifier', '--ignore-scripts', '--loglevel=error']

/** Optional peers, taken from this checkout, and the types of Node. */
const LINKED = [
  ...['yjs', '@automerge/automerge', 'fast-check', 'kysely', 'ioredis', 'kafkajs', 'keyv', 'msgpackr'],
  ...['prom-client', '@opentelemetry/api', 'ws', 'express-session', '@types/express-session', 'unstorage'],
  ...['@nats-io/transport-node', '@nats-io/jetstream'],
  '@types/node',
]

export function packAndInstall(folder: string): Packed {
  const [packed] = JSON.parse(npm(['pack', ROOT, '--json', '--pack-destination', folder], ROOT)) as {
    filename: string
    files: { path: string }[]
  }[]
  if (packed === undefined) throw new Error('npm pack made nothing')
  const tarball = path.join(folder, packed.filename)
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }')
  // The dependency is the checkout's own copy, packed: whatever npm has in its cache, no network is asked.
  const dependency = path.join(ROOT, 'node_modules/commander')
  npm(['install', '--offline', '--omit=peer', '--install-links', tarball, dependency], folder)
  for (const name of LINKED) link(name, folder)
  cpSync(path.join(ROOT, 'test/fixtures/consumer/main.ts'), path.join(folder, 'main.ts'))
  const commonJs = path.join(folder, 'commonjs')
  cpSync(path.join(ROOT, 'test/fixtures/consumer-cjs'), commonJs, { recursive: true })
  writeFileSync(path.join(commonJs, 'package.json'), '{ "name": "consumer-cjs", "private": true }')
  return { folder, commonJs, tarball, files: packed.files.map((file) => file.path) }
}

function npm(parameters: readonly string[], cwd: string): string {
  return execFileSync('npm', [...parameters, ...QUIET], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function link(name: string, folder: string): void {
  const at = path.join(folder, 'node_modules', name)
  mkdirSync(path.dirname(at), { recursive: true })
  symlinkSync(path.join(ROOT, 'node_modules', name), at, 'junction')
}
