/** `warp start`: a replica, until it is told to stop. */
import { once } from 'node:events'
import type { MeshOptions, MeshTransport } from '../../../adapters/mesh/index.ts'
import type { WarpEvent } from '../../../adapters/node/index.ts'
import type { RespServer, RespServerOptions } from '../../../adapters/resp/index.ts'
import { command, type AnyCommand } from '../program/command.ts'
import { loadConfig, type Config } from '../settings/config.ts'
import { eventJson, eventLine } from '../output/event-line.ts'
import { EXIT } from '../program/exit-codes.ts'
import { failureOf } from '../program/failure.ts'
import { MESH_OPTIONS, clusterKeys, hasKeyFile, meshOptions, type MeshFlags } from '../settings/mesh-settings.ts'
import { RESP_OPTION, respOptions, withRespKeys, type RespFlags } from '../settings/resp-settings.ts'
import { DATA_OPTIONS, type DataFlags } from '../settings/shared-options.ts'
import type { AnyWarp } from '../../../src/control/question.ts'
import { ReplicaNames } from '../output/replica-names.ts'
import { whileLocked } from '../target/while-locked.ts'

interface Flags extends DataFlags, MeshFlags, RespFlags {
  readonly name?: string
  readonly mesh: boolean
}

export const START_COMMAND: AnyCommand = command<Flags>({
  name: 'start',
  summary: 'run a replica on a folder, in the mesh, until interrupted',
  details:
    'Prints a line when it is ready, and one for every event: peers that come and go, what is refused, what does not work as it should. ' +
    'While it runs, the other commands reach it through a control socket in the folder. SIGINT and SIGTERM end it: it leaves the mesh and ' +
    'closes the log; a second one ends it at once. SIGHUP makes it read its key file again; without one it ends it.',
  options: [
    ...DATA_OPTIONS,
    { flags: '--name <name>', about: 'what people call this replica: shown here and at its peers instead of its id' },
    ...MESH_OPTIONS,
    RESP_OPTION,
    { flags: '--no-mesh', about: 'no network: for the processes of this machine that use warp, and nobody else' },
  ],
  examples: [
    'start',
    'start --name web-1 --port 7946',
    'start --data ./a --port 7946 --insecure',
    'start --no-mesh --resp 127.0.0.1:6379',
    'start --host 10.0.0.1 --peer 10.0.0.2:7946 --key-file cluster.key',
  ],
  async run({ options, output, signal }) {
    const config = withRespKeys(await loadConfig(options), options)
    const serving = respOptions(options, process.env)
    const tell = (json: object, line: string): void => void (output.isJson ? output.json(json) : output.line(line))
    const running: { warp?: AnyWarp; resp?: RespServer | undefined } = {}
    const observe = (event: WarpEvent): void => tell(eventJson(event), eventLine(event, namesOf(running.warp, options)))
    const mesh = options.mesh ? await meshOf(config, options) : undefined
    const transport = mesh === undefined ? {} : { transport: mesh }
    // The list of commands has all of them in it, and most have no use for an engine.
    const { openFolder } = await import('../target/open-folder.ts')
    const { ControlServer } = await import('../../../adapters/control/control-server.ts')
    const name = options.name ?? config.engine.name
    const engine = { ...config.engine, ...(name === undefined ? {} : { name }) }
    const warp = await whileLocked(signal, () => openFolder({ config: { ...config, engine }, observe, ...transport }))
    running.warp = warp
    try {
      const resp = (running.resp = await serveResp(warp, serving, tell))
      const control = await ControlServer.open(warp, { data: config.data })
      const place = placesOf(mesh, resp)
      const named = name === undefined ? {} : { name }
      const ready = { ...place, ...named, replica: warp.replica, data: config.data, socket: control.path }
      const shown = { ...ready, replica: new ReplicaNames([], options.fullIds).replica(warp.replica) }
      tell({ event: 'ready', ...ready }, ['ready', ...Object.entries(shown).map((pair) => pair.join('='))].join(' '))
      if (mesh !== undefined && hasKeyFile(config, options))
        replaceKeysOnRequest(mesh, () => clusterKeys(config, options, process.env), tell)
      if (!signal.aborted) await once(signal, 'abort')
      await control.close()
    } finally {
      await running.resp?.close()
      await warp.close()
    }
    return EXIT.ok
  },
})

function namesOf(warp: AnyWarp | undefined, { fullIds }: Flags): ReplicaNames {
  return new ReplicaNames(warp?.replicas() ?? [], fullIds)
}

/** Where others reach it. */
function placesOf(mesh: MeshTransport | undefined, resp: RespServer | undefined): { address?: string; resp?: string } {
  return {
    ...(mesh?.address === undefined ? {} : { address: mesh.address }),
    ...(resp === undefined ? {} : { resp: resp.address }),
  }
}

/** Loaded when it is needed. Faults are told as events are. */
async function serveResp(
  warp: AnyWarp,
  options: RespServerOptions | undefined,
  tell: (json: object, line: string) => void,
): Promise<RespServer | undefined> {
  if (options === undefined) return undefined
  const { respServer } = await import('../../../adapters/resp/index.ts')
  const onError = ({ message }: Error): void => tell({ event: 'resp:failed', message }, `resp:failed (${message})`)
  return respServer(warp, { ...options, onError })
}

/** Loaded when it is needed: most commands have no use for a network. */
async function meshOf(config: Config, flags: MeshFlags): Promise<MeshTransport> {
  const { meshTransport } = await import('../../../adapters/mesh/index.ts')
  return meshTransport(meshOptions(config, flags, process.env))
}

/**
 * SIGHUP: the key file is read again. What is wrong with it is told, and the keys stay as they are.
 */
function replaceKeysOnRequest(
  mesh: MeshTransport,
  read: () => MeshOptions['clusterKey'],
  tell: (json: object, line: string) => void,
): void {
  process.on('SIGHUP', () => {
    try {
      const keys = read()
      if (keys !== undefined) mesh.useKeys(keys)
      tell({ event: 'keys:read' }, 'keys:read')
    } catch (error) {
      const { code, message } = failureOf(error)
      tell({ event: 'keys:refused', error: { code, message } }, `keys:refused (${code}: ${message})`)
    }
  })
}
