/** An engine in memory on virtual time, for what the public face does not show. */
import { Engine } from '../../src/engine.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import type { LogFiles } from '../../src/ports/files.ts'
import type { ResidencyLimits } from '../../src/cache/residency.ts'
import type { WarpEvent } from '../../src/api/public.ts'
import type { Receipt } from '../../src/store/write-road/receipt.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { NO_OPTIONS, Writer } from '../../src/store/write-road/writer.ts'
import { OVERWRITING_MEMORY } from '../../testing/world/overwriting-memory.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'

export interface OpenEngine {
  readonly engine: Engine
  readonly env: VirtualEnv
  readonly events: readonly WarpEvent[]
  write(key: string, verb: string, ...parameters: readonly unknown[]): Promise<Receipt>
  read(key: string): unknown
}

export interface OpenEngineOptions {
  readonly cache?: Partial<ResidencyLimits>
  readonly env?: VirtualEnv
  readonly files?: LogFiles
  readonly segmentBytes?: number
}

export async function openEngine(keys: KeyMap, options: OpenEngineOptions = {}): Promise<OpenEngine> {
  const env = options.env ?? virtualEnv()
  const events: WarpEvent[] = []
  const engine = await Engine.open({
    files: options.files ?? memoryFiles(),
    env,
    memory: OVERWRITING_MEMORY,
    ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
    keyspaces: new Keyspaces(keys),
    cache: { entriesMax: Number.POSITIVE_INFINITY, bytesMax: Number.POSITIVE_INFINITY, ...options.cache },
    clockDriftMsMax: Number.POSITIVE_INFINITY,
    isReplicated: false,
    observe: (event) => events.push(event),
  })
  const { store } = engine
  const writer = new Writer(store, undefined)
  return {
    engine,
    env,
    events,
    write(key, verb, ...parameters) {
      const keyspace = store.keyspaceOf(key)
      const run = (keyspace.strategy.verbs as Record<string, Parameters<Writer['verb']>[1]>)[verb]
      if (run === undefined) throw new Error(`no verb ${verb}`)
      return writer.verb({ key, keyspace, slot: store.keys.find(key) }, run, parameters, NO_OPTIONS)
    },
    read(key) {
      const slot = store.keys.find(key)
      return slot === undefined ? undefined : store.values.read(slot)
    },
  }
}
