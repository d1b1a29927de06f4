/** `warp start`: a replica, until it is told to stop. */
import { once } from 'node:events'
import type { Transport, WarpEvent } from '../../../adapters/node/index.ts'
import { command, type AnyCommand } from '../command.ts'
import { loadConfig, type Config } from '../config.ts'
import { serveControl } from '../control-server.ts'
import { eventJson, eventLine } from '../event-line.ts'
import { EXIT } from '../exit-codes.ts'
import { MESH_OPTIONS, meshSettings, type MeshFlags } from '../mesh-settings.ts'
import { openFolder } from '../open-folder.ts'
import type { Output } from '../output.ts'
import { DATA_OPTIONS, type DataFlags } from '../shared-options.ts'
import { whileLocked } from '../while-locked.ts'

interface Flags extends DataFlags, MeshFlags {
  readonly mesh: boolean
}

export const START_COMMAND: AnyCommand = command<Flags>({
  name: 'start',
  summary: 'run a replica on a folder, in the mesh, until interrupted',
  details:
    'Prints a line when it is ready, and one for every event: peers that come and go, what is refused, what does not work as it should. ' +
    'While it runs, the other commands reach it through a control socket in the folder. SIGINT and SIGTERM end it: it leaves the mesh and ' +
    'closes the log; a second one ends it at once.',
  options: [
    ...DATA_OPTIONS,
    ...MESH_OPTIONS,
    { flags: '--no-mesh', about: 'no network: for the processes of this machine that use warp, and nobody else' },
  ],
  examples: [
    'start',
    'start --data ./a --port 7946 --insecure',
    'start --host 10.0.0.1 --peer 10.0.0.2:7946 --key-file cluster.key',
  ],
  async run({ options, output, signal }) {
    const config = await loadConfig(options)
    const observe = (event: WarpEvent): void => {
      void (output.isJson ? output.json(eventJson(event)) : output.line(eventLine(event)))
    }
    const mesh = options.mesh ? await meshOf(config, options) : undefined
    const transport = mesh === undefined ? {} : { transport: mesh }
    const warp = await whileLocked(signal, () => openFolder({ config, observe, ...transport }))
    try {
      const control = await serveControl(warp, config.data)
      const ready = { replica: warp.replica, data: config.data, socket: control.path }
      await printReady(output, ready)
      if (!signal.aborted) await once(signal, 'abort')
      await control.close()
    } finally {
      await warp.close()
    }
    return EXIT.ok
  },
})

/** Loaded when it is needed: most commands have no use for a network. */
async function meshOf(config: Config, flags: MeshFlags): Promise<Transport> {
  const { meshTransport } = await import('../../../adapters/mesh/index.ts')
  return meshTransport(meshSettings(config, flags, process.env))
}

async function printReady(output: Output, ready: Readonly<Record<string, string>>): Promise<void> {
  if (output.isJson) await output.json({ event: 'ready', ...ready })
  else await output.line(['ready', ...Object.entries(ready).map(([name, value]) => `${name}=${value}`)].join(' '))
}
