/** The clients that are checked, and how each language brings one and runs its check. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

/**
 * @typedef {object} ClientOf
 * @property {string} name
 * @property {'node' | 'python' | 'go' | 'java'} language
 * @property {string} main what is run, where the language's check has several
 * @property {string[]} packages what is brought, the client first, with the version that is meant
 * @property {string} major
 */

/**
 * @typedef {object} Language
 * @property {(client: ClientOf) => [string, ...string[]][]} install
 * @property {(client: ClientOf) => [string, ...string[]]} check
 * @property {(folder: string, client: ClientOf) => string} version
 */

/**
 * @param {string} name
 * @param {string} main
 * @param {string[]} packages
 * @returns {ClientOf}
 */
const node = (name, main, packages, major = '') => ({ name, language: 'node', main, packages, major })

/**
 * @param {string} name
 * @param {'python' | 'go' | 'java'} language
 * @param {string} library
 * @returns {ClientOf}
 */
const other = (name, language, library, main = '') => ({ name, language, main, packages: [library], major: '' })

/** @type {readonly ClientOf[]} */
export const CLIENTS = [
  ...['5', '6'].map((major) => node(`ioredis-${major}`, 'ioredis.mjs', [`ioredis@${major}`])),
  ...['4', '5', '6'].map((major) => node(`node-redis-${major}`, 'node-redis.mjs', [`redis@${major}`], major)),
  ...['5', '6'].map((major) => node(`bullmq-${major}`, 'bullmq.mjs', [`bullmq@${major}`, 'ioredis@5'])),
  node('redlock', 'redlock.mjs', ['redlock@4', 'ioredis@5']),
  node('rate-limiter-flexible', 'rate-limiter-flexible.mjs', ['rate-limiter-flexible@11', 'ioredis@5']),
  node('connect-redis', 'connect-redis.mjs', ['connect-redis@9', 'express-session@1', 'redis@5']),
  ...['5', '8'].map((major) => other(`redis-py-${major}`, 'python', `redis==${major}.*`)),
  other('go-redis', 'go', 'github.com/redis/go-redis/v9@v9'),
  other('jedis', 'java', 'jedis', 'JedisCheck'),
  other('lettuce', 'java', 'lettuce-core', 'LettuceCheck'),
]

/** @type {Readonly<Record<ClientOf['language'], Language>>} */
export const LANGUAGES = {
  node: {
    install: ({ packages }) => [
      ['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', ...packages],
    ],
    check: ({ main }) => [process.execPath, main],
    version(folder, { packages }) {
      const name = String(packages[0]).replace(/@[^@]*$/, '')
      return JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')).version
    },
  },
  python: {
    install: ({ packages }) => [
      ['python3', '-m', 'venv', 'own'],
      ['own/bin/pip', 'install', '--quiet', '--disable-pip-version-check', ...packages],
    ],
    check: () => ['own/bin/python', 'check.py'],
    version(folder) {
      const library = path.join(folder, 'own/lib')
      const packages = path.join(library, String(readdirSync(library)[0]), 'site-packages')
      const found = readdirSync(packages).find((name) => /^redis-.*\.dist-info$/.test(name))
      return found?.replace(/^redis-|\.dist-info$/g, '') ?? 'of unknown version'
    },
  },
  go: {
    install: ({ packages }) => [
      ['go', 'get', ...packages],
      ['go', 'build', '-o', 'check', '.'],
    ],
    check: () => ['./check'],
    version: (folder) =>
      /go-redis\/v9 (\S+)/.exec(readFileSync(path.join(folder, 'go.mod'), 'utf8'))?.[1] ?? 'of unknown version',
  },
  java: {
    install: () => [
      ['mvn', '--quiet', '--batch-mode', 'compile', 'dependency:copy-dependencies', '-DoutputDirectory=libraries'],
    ],
    check: ({ main }) => ['java', '-cp', 'target/classes:libraries/*', main],
    version(folder, { packages }) {
      const libraries = path.join(folder, 'libraries')
      const found = existsSync(libraries)
        ? readdirSync(libraries).find((name) => name.startsWith(String(packages[0])))
        : undefined
      return found?.replace(/^.*?-(\d.*)\.jar$/, '$1') ?? 'of unknown version'
    },
  },
}
