/** What tests of values that expire watch and count. */
import { openWarp, type Change, type Projection, type Watch } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import type { MemoryFiles } from '../../src/log/files/memory-files.ts'
import type { Transport } from '../../src/ports/transport.ts'
import type { VirtualEnv } from '../../testing/world/virtual-env.ts'

export const TTL_MS = 1000

const keys = {
  'plain:*': register<string>(),
  'session:*': { strategy: register<string>(), ttlMs: TTL_MS },
  'kept:*': { strategy: register<string>(), ttlMs: TTL_MS, retain: 'all' },
  'sum:*': { strategy: counter(), ttlMs: TTL_MS },
  'set:*': { strategy: set<string>(), ttlMs: TTL_MS },
  'slides:*': { strategy: register<string>(), ttlMs: TTL_MS, ttl: 'sliding' },
} as const

export function openWithLives(
  env: VirtualEnv,
  { files, transport }: { files?: MemoryFiles; transport?: Transport } = {},
) {
  return openWarp({
    ...{ keys, env },
    ...(files === undefined ? {} : { log: { name: 'memory', open: () => Promise.resolve(files) } }),
    ...(transport === undefined ? {} : { transports: [transport] }),
  })
}

/** Takes everything that a watch tells, in words, without waiting for more. */
export class Told {
  readonly changes: Change[] = []

  constructor(watch: Watch) {
    void this.#take(watch)
  }

  get words(): string[] {
    return this.changes.map((change) => (change.kind === 'gap' ? 'gap' : `${change.key} ${change.kind}`))
  }

  async #take(watch: Watch): Promise<void> {
    for await (const change of watch) this.changes.push(change)
  }
}

/** Which keys have a value, and how often one expired. */
export interface Living {
  readonly keys: readonly string[]
  readonly expiredCount: number
}

export function living(options: Partial<Projection<Living>> = {}): Projection<Living> {
  return {
    name: 'living',
    initial: () => ({ keys: [], expiredCount: 0 }),
    apply: (state, { key, value, operation }) => ({
      keys: [...state.keys.filter((other) => other !== key), ...(value === undefined ? [] : [key])].sort(),
      expiredCount: state.expiredCount + (operation.kind === 'expired' ? 1 : 0),
    }),
    ...options,
  }
}
