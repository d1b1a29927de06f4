/**
 * Who judges commands about locks: the partitions of an ordered log (`StrongKeys`), or, where there is
 * one process and no network, the process itself.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { newReplicaId } from '../../keys/domain-writer.ts'
import type { Env } from '../../ports/env.ts'
import type { LockCommand } from '../commands.ts'
import type { Verdict } from '../verdict.ts'
import type { LockEvent } from './tables/lock-state.ts'
import { LockTable } from './tables/lock-table.ts'

export interface DeskOptions {
  readonly signal?: AbortSignal
  /** Default: that of the desk. `Infinity`: until it is closed. */
  readonly timeoutMs?: number
}

export interface LockDesk {
  /** As whom commands are given. */
  readonly author: ReplicaId
  readonly partitionsCount: number
  partitionOf(name: string): number
  locksOf(partition: number): LockTable
  /** How long an answer is waited for, ms. */
  readonly timeoutMs: number
  /** The time of the log: it is that by now, or later. */
  timeMs(partition: number): number
  followLocks(told: (partition: number, event: LockEvent) => void): void
  /**
   * Settles when the command has been judged here. Rejects with `outcome: 'indeterminate'`, and its dot in
   * `details`, where it may be judged later.
   */
  submit(
    partition: number,
    command: LockCommand,
    options?: DeskOptions,
  ): Promise<{ readonly dot: Dot; readonly verdict: Verdict }>
  /** What became of a command that was given up. */
  resolve(dot: Dot): Promise<Verdict | undefined>
}

/** Locks of one process: judged at once. They end with it. */
export class OwnLockDesk implements LockDesk {
  readonly author: ReplicaId
  readonly partitionsCount = 1
  readonly timeoutMs: number = Infinity
  readonly #env: Env
  readonly #table = new LockTable('')
  /** The wall clock when time was zero: later it may jump, and this one does not. */
  readonly #zeroMs: number
  #told: (partition: number, event: LockEvent) => void = () => undefined
  #sequence = 0

  constructor(env: Env) {
    this.#env = env
    this.author = newReplicaId(env)
    this.#zeroMs = env.now() - env.monotonic()
  }

  partitionOf(): number {
    return 0
  }

  locksOf(): LockTable {
    return this.#table
  }

  timeMs(): number {
    return Math.floor(this.#zeroMs + this.#env.monotonic())
  }

  followLocks(told: (partition: number, event: LockEvent) => void): void {
    this.#told = told
  }

  submit(
    _partition: number,
    command: LockCommand,
    { signal }: DeskOptions = {},
  ): Promise<{ readonly dot: Dot; readonly verdict: Verdict }> {
    if (signal?.aborted === true)
      return Promise.reject(new WarpError('WARP_E_ABORTED', 'nothing was done', { cause: signal.reason }))
    const timeMs = this.timeMs()
    this.#table.pass(timeMs)
    const verdict = this.#table.judge(command, this.author, timeMs)
    for (const event of this.#table.counts()) this.#told(0, event)
    return Promise.resolve({ dot: { replica: this.author, sequence: ++this.#sequence }, verdict })
  }

  resolve(): Promise<undefined> {
    return Promise.resolve(undefined)
  }
}
