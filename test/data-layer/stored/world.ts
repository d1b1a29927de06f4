/** Replicas before one primary store in memory: on virtual time and one memory network. */
import { memoryNetwork } from '../../../adapters/memory/memory-network.ts'
import { openWarp, type WarpEvent } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/register.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import type { StoringOptions } from '../../../src/keys/source/source.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { CopiesOptions, Warp } from '../../../src/api/public.ts'
import type { LogStore } from '../../../src/ports/files.ts'
import { memoryStoreOn, type MemoryStore } from '../../../src/ports/stores/memory-store.ts'
import { virtualEnv, type VirtualEnv } from '../../../testing/world/virtual-env.ts'
import { closeAll } from '../../support/close-all.ts'

export type AnyWarp = Warp<KeyMap>

export interface JoinOptions extends Partial<StoringOptions> {
  readonly strategy?: AnyStrategy
  readonly copies?: CopiesOptions
  readonly log?: LogStore
  /** The clock of the replica goes wrong by so much. */
  readonly offsetMs?: number
  /** Without a network. */
  readonly alone?: boolean
  readonly stayAlive?: () => () => void
}

export interface Member {
  readonly name: string
  readonly warp: AnyWarp
  readonly events: WarpEvent[]
}

const DECODER = new TextDecoder()

/** Adds to a counter. */
export function add(warp: AnyWarp | undefined, key: string, by: number): Promise<unknown> {
  const handle = (warp as AnyWarp).key(key) as unknown as { increment(by: number): Promise<unknown> }
  return handle.increment(by)
}

export class StoreWorld {
  readonly env: VirtualEnv
  readonly network: ReturnType<typeof memoryNetwork>
  readonly store: MemoryStore
  readonly members: Member[] = []

  constructor(seed = 1) {
    this.env = virtualEnv({ seed })
    this.network = memoryNetwork({ env: this.env, seed })
    this.store = memoryStoreOn(this.env, { seed })
  }

  async join(name: string, options: JoinOptions = {}): Promise<Member> {
    const { strategy = register(), copies, log, offsetMs = 0, alone = false, stayAlive, ...storing } = options
    const events: WarpEvent[] = []
    const warp = await openWarp({
      keys: { 'k:*': { strategy, store: this.store, ...storing }, 'own:*': { strategy: register(), retain: 'latest' } },
      env: {
        ...this.env.fork({ label: name, wallOffsetMs: offsetMs }),
        ...(stayAlive === undefined ? {} : { stayAlive }),
      },
      observe: (event) => void events.push(event),
      ...(alone ? {} : { transports: [this.network.transport(name)] }),
      ...(copies === undefined ? {} : { copies }),
      ...(log === undefined ? {} : { log }),
    })
    const member = { name, warp: warp as unknown as AnyWarp, events }
    this.members.push(member)
    await this.env.runUntilIdle()
    return member
  }

  async joinAll(names: readonly string[], options: JoinOptions = {}): Promise<AnyWarp[]> {
    const all: AnyWarp[] = []
    for (const name of names) all.push((await this.join(name, options)).warp)
    await this.env.advance(5000)
    return all
  }

  /** What the row holds, as an outsider reads it. */
  row(key: string): unknown {
    const value = this.store.row(key)?.value
    return value === undefined ? undefined : JSON.parse(DECODER.decode(value))
  }

  /** An outsider writes past Warp. */
  put(key: string, value: unknown): void {
    this.store.put(key, value === undefined ? undefined : new TextEncoder().encode(JSON.stringify(value)))
  }

  async close(): Promise<void> {
    this.store.resume()
    await closeAll(
      this.env,
      this.members.map(({ warp }) => warp),
    )
  }
}
