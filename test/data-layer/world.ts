/**
 * Replicas before a source that tests drive by hand: on virtual time and one memory network. A load
 * reads the source when it begins, and answers when the test says so, or at once.
 */
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import type { LoadContext, LoadingOptions } from '../../src/keys/source/source.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { Transport } from '../../src/ports/transport.ts'
import type { CopiesOptions, Warp } from '../../src/api/public.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

export type AnyWarp = Warp<KeyMap>

/** A load that has begun and has not answered. */
export interface HeldLoad {
  readonly key: string
  readonly by: string
  readonly context: LoadContext
  /** Answers with what the source held when the load began. */
  answer(): Promise<void>
  fail(error: Error): Promise<void>
}

export interface Member {
  readonly name: string
  readonly warp: AnyWarp
  readonly events: WarpEvent[]
  readonly env: VirtualEnv
}

interface Joining {
  readonly copies?: CopiesOptions
  readonly alone?: boolean
  readonly through?: (transport: Transport) => Transport
}

export class SourceWorld {
  readonly env: VirtualEnv
  readonly source = new Map<string, unknown>()
  readonly loads: string[] = []
  readonly held: HeldLoad[] = []
  isHolding = false
  failure: Error | undefined
  /** How long an answer takes. */
  delayMs = 0
  readonly members: Member[] = []
  readonly network: ReturnType<typeof memoryNetwork>

  constructor(seed = 1) {
    this.env = virtualEnv({ seed })
    this.network = memoryNetwork({ env: this.env, seed })
  }

  /** `copies`: bounds; `alone`: without a network; `through`: what lies between it and the network. */
  async join(
    name: string,
    options: Partial<LoadingOptions> = {},
    { copies, alone = false, through = (it) => it }: Joining = {},
  ): Promise<Member> {
    const events: WarpEvent[] = []
    const load = (key: string, context: LoadContext): Promise<unknown> => this.#load(name, key, context)
    const env = this.env.fork({ label: name })
    const warp = await openWarp({
      keys: { 'k:*': { strategy: register(), load, ...options }, 'own:*': { strategy: register(), retain: 'latest' } },
      env,
      observe: (event) => void events.push(event),
      ...(alone ? {} : { transports: [through(this.network.transport(name))] }),
      ...(copies === undefined ? {} : { copies }),
    })
    const member = { name, warp: warp as unknown as AnyWarp, events, env }
    this.members.push(member)
    await this.env.runUntilIdle()
    return member
  }

  /** Two or more replicas that have met. */
  async joinAll(names: readonly string[], options: Partial<LoadingOptions> = {}): Promise<AnyWarp[]> {
    const all: AnyWarp[] = []
    for (const name of names) all.push((await this.join(name, options)).warp)
    await this.env.advance(5000)
    return all
  }

  /** Loads of a key that have begun, of whoever. */
  loadsOf(key: string): number {
    return this.loads.filter((load) => load.endsWith(` ${key}`)).length
  }

  async close(): Promise<void> {
    await closeAll(
      this.env,
      this.members.map(({ warp }) => warp),
    )
  }

  async #load(by: string, key: string, context: LoadContext): Promise<unknown> {
    this.loads.push(`${by} ${key}`)
    const value = this.source.get(key)
    const { failure } = this
    if (!this.isHolding) {
      if (this.delayMs > 0) await new Promise<void>((resolve) => this.env.schedule(this.delayMs, resolve))
      if (failure !== undefined) throw failure
      return value
    }
    return new Promise((resolve, reject) => {
      const settle = async (end: () => void): Promise<void> => {
        this.held.splice(this.held.indexOf(load), 1)
        end()
        await this.env.runUntilIdle()
      }
      const load: HeldLoad = {
        key,
        by,
        context,
        answer: () => settle(() => resolve(value)),
        fail: (error) => settle(() => reject(error)),
      }
      this.held.push(load)
    })
  }
}
