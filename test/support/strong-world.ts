/**
 * Replicas of strong keys in virtual time on one ordered log, and a hand that puts records into the log as another replica, or a hostile one,
 * would.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { openWarp } from '../../adapters/node/index.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { Warp, WarpEvent, WarpOptions } from '../../src/api/public.ts'
import type { OrderedLogLink } from '../../src/ports/ordered-log.ts'
import {
  type MemoryOrderedLog,
  memoryOrderedLogOn,
  type MemoryOrderedLogSettings,
} from '../../src/ports/ordered-memory/memory-ordered-log.ts'
import { type Command, encodeCommand, encodeRecord } from '../../src/strong/commands.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'

export interface Written {
  readonly author?: ReplicaId
  readonly first?: number
  readonly floor?: number
  /** Default: now. */
  readonly basisMs?: number
}

export interface Opened<K extends KeyMap> {
  readonly warp: Warp<K>
  readonly env: VirtualEnv
  readonly events: WarpEvent[]
}

export interface ReplicaSettings {
  /** Its clock is so far ahead of the log's. Default 0. */
  readonly aheadMs?: number
  /** Whether it has the ordered log at all. Default `true`. */
  readonly isOrdered?: boolean
}

export const AUTHOR: ReplicaId = parseReplicaId('a'.repeat(16))

export class StrongWorld {
  readonly env: VirtualEnv = virtualEnv()
  readonly order: MemoryOrderedLog
  #link: Promise<OrderedLogLink> | undefined
  #records = 0

  constructor(settings: MemoryOrderedLogSettings = {}) {
    this.order = memoryOrderedLogOn(this.env, settings)
  }

  /** A replica that is called `name` by the log. */
  async open<const K extends KeyMap>(
    name: string,
    keys: K & WarpOptions<K>['keys'],
    { aheadMs = 0, isOrdered = true, ...options }: Partial<WarpOptions<K>> & ReplicaSettings = {},
  ): Promise<Opened<K>> {
    const env = this.env.fork({ label: name, wallOffsetMs: aheadMs })
    const events: WarpEvent[] = []
    const observe = (event: WarpEvent): void => void events.push(event)
    const order = isOrdered ? { order: this.order.named(name) } : {}
    const opening = openWarp({ keys, env, observe, ...order, ...options } as WarpOptions<KeyMap>)
    return { warp: (await this.drive(opening)) as unknown as Warp<K>, env, events }
  }

  /** Puts a record into the log. */
  async write(
    commands: readonly Command[],
    { author = AUTHOR, first = 1, floor = 1, basisMs }: Written = {},
  ): Promise<void> {
    const bytes = encodeRecord(
      { author, first, floor, basisMs: basisMs ?? this.env.now() },
      commands.map((command) => encodeCommand(command)),
    )
    await this.put(bytes)
  }

  /** Puts bytes into the log. */
  async put(bytes: Uint8Array): Promise<void> {
    this.#link ??= this.order.named('hand').open({ connected: () => undefined })
    const link = await this.drive(this.#link)
    await this.drive(link.append(0, `hand-${this.#records++}`, bytes))
  }

  /** Lets time pass until the promise settles, for a minute at most. */
  async drive<Answer>(asked: Promise<Answer>): Promise<Answer> {
    let isDone = false
    const end = (): void => void (isDone = true)
    asked.then(end, end)
    await this.env.runUntilIdle()
    for (let steps = 0; !isDone && steps < 6000; steps++) await this.env.advance(10)
    if (!isDone) throw new Error('has not settled within a minute')
    return asked
  }
}

/** The code of the error that a promise rejects with; `'none'` if it does not. */
export async function codeOfError(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isWarpError(error) ? error.code : String(error)),
  )
}
