/** Kafka: brokers that are controllers, too. Three keep each record three times; one is for tests of refusals. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { mavenJars } from './cache.mjs'
import { dataFolder, freePort, launch } from './state.mjs'

const LOCK = path.join(path.dirname(fileURLToPath(import.meta.url)), 'kafka')
/** Any that all of a cluster share. */
const CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const READY = 'Kafka Server started'
const JAVA = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.showDateTime=true']

/**
 * @typedef {object} KafkaSettings
 * @property {number} [brokers] - default 3
 * @property {Readonly<Record<string, string | number>>} [properties] - more of them, for each broker
 */

/**
 * A broker as it is started again: at its port, with its data.
 *
 * @typedef {import('./state.mjs').Server & { settings: string, port: number, folder: string }} KafkaServer
 */

export function kafkaFolder() {
  return mavenJars('kafka_2.13-3.9.1', LOCK)
}

/**
 * @param {KafkaSettings} [settings]
 * @returns {Promise<{ url: string, folder: string, nodes: KafkaServer[] }>} `url`: the brokers, with commas between
 */
export async function startKafka({ brokers = 3, properties = {} } = {}) {
  const folder = dataFolder('kafka')
  const ports = await Promise.all(Array.from({ length: 2 * brokers }, freePort))
  const voters = Array.from({ length: brokers }, (_, i) => `${i + 1}@127.0.0.1:${ports[brokers + i]}`).join(',')
  const starting = Array.from({ length: brokers }, async (_, i) => {
    const place = { id: i + 1, port: ports[i] ?? 0, controller: ports[brokers + i] ?? 0, voters, brokers }
    return startKafkaAgain(await prepared(path.join(folder, `n${i + 1}`), { ...propertiesOf(place), ...properties }))
  })
  const running = await Promise.all(starting)
  return { url: running.map(({ url }) => url).join(','), folder, nodes: running }
}

/**
 * One that has ended, or was never started, where it was.
 *
 * @param {KafkaServer} server
 * @returns {Promise<KafkaServer>}
 */
export async function startKafkaAgain(server) {
  const { folder, settings } = server
  if (!existsSync(settings)) throw new Error(`${settings} is not there any more`)
  const output = path.join(folder, 'output.log')
  // What it has said before is no sign that it is ready now.
  const said = existsSync(output) ? statSync(output).size : 0
  const pid = await launch({
    program: 'java',
    parameters: [...JAVA, '-cp', `${kafkaFolder()}/*`, 'kafka.Kafka', settings],
    folder,
    options: { cwd: folder },
    isReady: async () => readFileSync(output).subarray(said).includes(READY),
  })
  return { ...server, pid }
}

/**
 * @param {{ id: number, port: number, controller: number, voters: string, brokers: number }} place
 * @returns {Record<string, string | number>}
 */
function propertiesOf({ id, port, controller, voters, brokers }) {
  const copies = Math.min(3, brokers)
  return {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': voters,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'default.replication.factor': copies,
    'min.insync.replicas': Math.min(2, brokers),
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': 'false',
    'log.cleaner.dedupe.buffer.size': 2_097_152,
    'log.index.size.max.bytes': 262_144,
    // One that was killed comes back, and is missed, within seconds.
    'broker.session.timeout.ms': 1500,
    'broker.heartbeat.interval.ms': 300,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'log.segment.delete.delay.ms': 1000,
  }
}

/**
 * @param {string} folder
 * @param {Readonly<Record<string, string | number>>} properties
 * @returns {Promise<KafkaServer>}
 */
async function prepared(folder, properties) {
  mkdirSync(folder, { recursive: true })
  const settings = path.join(folder, 'server.properties')
  const lines = Object.entries({ ...properties, 'log.dirs': path.join(folder, 'logs') })
  writeFileSync(settings, lines.map(([name, value]) => `${name}=${value}\n`).join(''))
  const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', settings]
  await promisify(execFile)('java', [...JAVA, '-cp', `${kafkaFolder()}/*`, ...format])
  const port = Number(/:(\d+)$/.exec(String(properties['advertised.listeners']))?.[1])
  return { url: `127.0.0.1:${port}`, port, folder, settings }
}
