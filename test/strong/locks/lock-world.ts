/** Replicas that share an ordered log in memory, on virtual time. */
import { memoryOrderedLog } from '../../../adapters/memory/index.ts'
import { openWarp, type Lock, type LogStore, type Warp, type WarpEvent } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import type { MemoryOrderedLogSettings } from '../../../src/ports/ordered-memory/memory-ordered-log.ts'
import { virtualEnv, type VirtualEnv } from '../../../testing/world/virtual-env.ts'

export const KEYS = { 'job:*': { strategy: register<string>(), mode: 'strong' } } as const

export type Replica = Warp<typeof KEYS>

export interface JoinOptions {
  readonly log?: LogStore
  readonly snapshotEvery?: number
  readonly wallOffsetMs?: number
}

export class LockWorld {
  readonly env: VirtualEnv
  readonly order: ReturnType<typeof memoryOrderedLog>
  readonly events: WarpEvent[] = []
  readonly #open = new Map<string, Replica>()

  constructor(settings: MemoryOrderedLogSettings = {}, seed = 1) {
    this.env = virtualEnv({ seed })
    this.order = memoryOrderedLog({ env: this.env, seed, ...settings })
  }

  async join(name: string, { log, snapshotEvery, wallOffsetMs = 0 }: JoinOptions = {}): Promise<Replica> {
    const opening = openWarp({
      ...{ keys: KEYS, name, order: this.order.named(name), env: this.env.fork({ label: name, wallOffsetMs }) },
      ...(log === undefined ? {} : { log }),
      ...(snapshotEvery === undefined ? {} : { strong: { snapshotEvery } }),
      observe: (event) => void this.events.push(event),
    })
    const warp = await this.during(opening)
    this.#open.set(name, warp)
    return warp
  }

  /** The process is gone: nothing is said, and nobody hears of it. */
  kill(name: string): void {
    this.order.abandon(name)
    this.#open.delete(name)
  }

  /** Lets time go on until a promise settles, for ten minutes at most. */
  async during<Result>(promise: Promise<Result>): Promise<Result> {
    let isSettled = false
    const settled = (): void => {
      isSettled = true
    }
    promise.then(settled, settled)
    const endMs = this.env.monotonic() + 600_000
    for (;;) {
      await this.env.runUntilIdle()
      if (isSettled) return promise
      if (this.env.monotonic() > endMs) throw new Error('waited for ten minutes in vain')
      if (!(await this.env.advanceToNextTimer())) throw new Error('nothing is left to wait for')
    }
  }

  /** How a promise ended within so much time; `undefined`: not yet. */
  async within<Result>(ms: number, promise: Promise<Result>): Promise<Result | Error | undefined> {
    let outcome: Result | Error | undefined
    promise.then(
      (result) => {
        outcome = result
      },
      (error: unknown) => {
        outcome = error as Error
      },
    )
    await this.env.advance(ms)
    return outcome
  }

  async close(): Promise<void> {
    this.order.reconnect()
    this.order.troubles({ appendsLost: 0, answersLost: 0, repeated: 0, redelivered: 0, slowMs: 0 })
    await this.during(Promise.all([...this.#open.values()].map((warp) => warp.close())))
  }
}

/** A lock that was had. */
export function had(lock: Lock | Error | undefined): Lock {
  if (lock === undefined || lock instanceof Error) throw new Error('no lock', { cause: lock })
  return lock
}
