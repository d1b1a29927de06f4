/**
 * How a replica reaches others: the configuration's `mesh`, overridden by flags. The mesh checks
 * what it is given; here only the cluster's key is found, which never stands on a command line,
 * where every user of the machine could read it.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { MeshOptions } from '../../../adapters/mesh/index.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { OptionDescription } from '../program/command.ts'
import type { Config } from './config.ts'
import { UsageError } from '../program/failure.ts'

/** The interface of {@link MESH_OPTIONS}. */
export interface MeshFlags {
  readonly host?: string
  readonly port?: string
  readonly peer?: readonly string[]
  /** Only `false` was said by anybody. */
  readonly multicast: boolean
  readonly keyFile?: string
  readonly insecure?: boolean
  readonly zone?: string
  readonly role?: readonly string[]
}

export const MESH_OPTIONS: readonly OptionDescription[] = [
  { flags: '--host <address>', about: 'the address to listen on (default: loopback)' },
  { flags: '--port <port>', about: 'the port to listen on, UDP and TCP; 0 takes a free one' },
  { flags: '--peer <host:port>', about: 'a replica to talk to; may be repeated', repeatable: true },
  { flags: '--no-multicast', about: 'do not look for replicas by multicast' },
  { flags: '--key-file <file>', about: "the cluster's key, as warp key prints it (else WARP_CLUSTER_KEY)" },
  {
    flags: '--insecure',
    about: 'without a key, for this machine alone: it stays on loopback, and every process here may join',
  },
  { flags: '--zone <zone>', about: 'where the replica runs' },
  { flags: '--role <role>', about: 'what it is for; may be repeated', repeatable: true },
]

const PORT_MAX = 65_535

/** Names in a configuration that the mesh would not ask for are mistyped ones. */
const SETTINGS: ReadonlySet<string> = new Set<keyof MeshOptions | 'clusterKeyFile'>([
  ...(['name', 'host', 'port', 'peers', 'multicast', 'clusterKey', 'clusterKeyFile', 'insecure', 'cluster'] as const),
  ...(['zone', 'roles', 'compress', 'datagramBytesMax', 'probeIntervalMs', 'clockSkewMsMax', 'queueBytesMax'] as const),
])

type MeshConfig = Pick<Config, 'mesh' | 'file'>

/**
 * What `meshTransport` takes. Throws `UsageError` for flags, `WARP_E_CONFIG` for names and for a
 * key file that cannot be read.
 */
export function meshOptions({ mesh, file }: MeshConfig, flags: MeshFlags, env: NodeJS.ProcessEnv): MeshOptions {
  const unknown = Object.keys(mesh).find((name) => !SETTINGS.has(name))
  if (unknown !== undefined) {
    throw refused(file, `mesh has no setting '${unknown}'; there are ${[...SETTINGS].join(', ')}`)
  }
  const { clusterKeyFile, clusterKey, ...others } = mesh
  if (clusterKeyFile !== undefined && clusterKey !== undefined) {
    throw refused(file, 'mesh has clusterKeyFile and clusterKey; give one of them')
  }
  const keys = clusterKeys({ mesh, file }, flags, env)
  return { ...others, ...settingsOfFlags(flags), ...(keys === undefined ? {} : { clusterKey: keys }) }
}

function settingsOfFlags(flags: MeshFlags): Readonly<Record<string, unknown>> {
  const { host, port, peer, multicast, insecure, zone, role } = flags
  const given = {
    host,
    port: port === undefined ? undefined : portOf(port),
    peers: peer,
    multicast: multicast ? undefined : false,
    insecure,
    zone,
    roles: role,
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/**
 * Flags before the environment before the file, as everywhere. `undefined`: there is none. Throws
 * `WARP_E_CONFIG`.
 */
export function clusterKeys(
  { mesh, file }: MeshConfig,
  { keyFile }: Pick<MeshFlags, 'keyFile'>,
  env: NodeJS.ProcessEnv,
): MeshOptions['clusterKey'] {
  if (keyFile !== undefined) return keysIn(resolve(keyFile))
  const fromEnvironment = env['WARP_CLUSTER_KEY'] ?? ''
  if (fromEnvironment !== '') return keysOfText(fromEnvironment)
  const { clusterKeyFile, clusterKey } = mesh
  if (typeof clusterKeyFile === 'string') return keysIn(resolve(dirname(file ?? '.'), clusterKeyFile))
  return clusterKey as MeshOptions['clusterKey'] // the mesh says so if it is something else
}

/** Whether there is a file that may be read again for other keys. */
export function hasKeyFile({ mesh }: MeshConfig, { keyFile }: Pick<MeshFlags, 'keyFile'>): boolean {
  return keyFile !== undefined || typeof mesh['clusterKeyFile'] === 'string'
}

function keysIn(path: string): readonly string[] {
  try {
    return keysOfText(readFileSync(path, 'utf8'))
  } catch (cause) {
    const { code = 'UNKNOWN' } = cause as NodeJS.ErrnoException
    throw new WarpError('WARP_E_CONFIG', `the key file ${path} cannot be read (${code})`, { details: { path }, cause })
  }
}

/** One key a line; the first one is used, all are accepted, which is how a key is replaced. */
function keysOfText(text: string): readonly string[] {
  return text.split(/\s+/).filter((key) => key !== '')
}

function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > PORT_MAX)
    throw new UsageError(`--port ${text}: it is a number from 0 to ${PORT_MAX}`)
  return port
}

function refused(file: string | undefined, problem: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `${file ?? 'the configuration'}: ${problem}`)
}
