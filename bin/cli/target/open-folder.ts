/**
 * Opens the engine on a folder, as a replica that keeps what others may lack: cut off, unless it is
 * given a transport.
 */
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp, type KeyMap, type Transport, type WarpEvent } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { keysOf, type Config } from '../settings/config.ts'
import type { AnyWarp } from '../../../src/control/question.ts'
import { silentTransport } from './silent-transport.ts'

export interface OpenFolderOptions {
  readonly config: Config
  readonly transport?: Transport
  readonly observe?: (event: WarpEvent) => void
  /** If nothing says what the keys mean, it is opened all the same, and no value can be read. */
  readonly isBlind?: boolean
}

/** An engine has one pattern at least. This one matches itself, which is hardly anybody's key. */
const NO_KEYS: KeyMap = { '(no pattern)': register() }

/** Throws what `openWarp` throws, and `WARP_E_CONFIG` if nothing says what the keys mean. */
export async function openFolder({ config, transport, observe, isBlind = false }: OpenFolderOptions): Promise<AnyWarp> {
  const knowsNothing = isBlind && Object.keys(config.keys).length === 0
  return openWarp({
    ...config.engine,
    keys: knowsNothing ? NO_KEYS : await keysOf(config),
    log: fileLog({ path: config.data }),
    transports: [transport ?? silentTransport()],
    ...(observe === undefined ? {} : { observe: knowsNothing ? withoutUnregistered(observe) : observe }),
  })
}

/** That keys match no pattern is no news where there are no patterns. */
function withoutUnregistered(observe: (event: WarpEvent) => void): (event: WarpEvent) => void {
  return (event) => {
    if (event.kind !== 'keys:unregistered') observe(event)
  }
}
