/**
 * Opens the engine on a folder, as a replica that keeps what others may lack: cut off, unless it is
 * given a transport.
 */
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp, type Transport, type WarpEvent } from '../../../adapters/node/index.ts'
import { keysOf, type Config } from '../settings/config.ts'
import type { AnyWarp } from '../../../src/control/question.ts'
import { silentTransport } from './silent-transport.ts'

export interface OpenFolderOptions {
  readonly config: Config
  readonly transport?: Transport
  readonly observe?: (event: WarpEvent) => void
}

/** Throws what `openWarp` throws, and `WARP_E_CONFIG` if nothing says what the keys mean. */
export async function openFolder({ config, transport, observe }: OpenFolderOptions): Promise<AnyWarp> {
  return openWarp({
    ...config.engine,
    keys: await keysOf(config),
    log: fileLog({ path: config.data }),
    transports: [transport ?? silentTransport()],
    ...(observe === undefined ? {} : { observe }),
  })
}
