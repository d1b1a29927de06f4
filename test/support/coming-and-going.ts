/** Replicas on virtual time that come and go, by name, over one network in memory. */
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import type { ReplicationOptions } from '../../src/replication/options.ts'
import type { CheckedKeys, KeyMap } from '../../src/keys/typed-keys.ts'
import type { faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

export interface Opening {
  /** Its log is on this disk; in memory without. */
  readonly disk?: ReturnType<typeof faultyFiles>
  /** Default: as its place on the network. */
  readonly name?: string
}

export function comingAndGoing<const Keys extends KeyMap>(
  keys: Keys & CheckedKeys<Keys>,
  seed = 3,
  replication: ReplicationOptions = {},
) {
  const env = virtualEnv({ seed })
  const network = memoryNetwork({ seed, env, delayMs: 5 })
  const events: WarpEvent[] = []
  let lives = 0
  const open = (place: string, { disk, name = place }: Opening = {}) =>
    openWarp<Keys>({
      ...{ keys, name, replication },
      ...(disk === undefined ? {} : { log: disk.store() }),
      transports: [network.transport(place)],
      env: env.fork({ label: `${name} ${++lives}` }),
      observe: (event) => events.push(event),
    })
  return { env, network, open, events }
}
