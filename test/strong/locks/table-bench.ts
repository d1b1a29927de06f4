/** A table of locks without a log: commands at times that the test says. */
import { parseReplicaId, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { decodeAnswer, lockCommand, type LockAct, type LockAnswer } from '../../../src/strong/locks/tables/lock-acts.ts'
import type { LockEvent } from '../../../src/strong/locks/tables/lock-state.ts'
import { LockTable } from '../../../src/strong/locks/tables/lock-table.ts'
import type { Verdict } from '../../../src/strong/verdict.ts'

export const [A, B, C] = ['a', 'b', 'c'].map((digit) => parseReplicaId(`000000000000000${digit}`)) as [
  ReplicaId,
  ReplicaId,
  ReplicaId,
]

export const START_MS = 1_000_000

export interface Asked {
  readonly name?: string
  readonly permits?: number
  readonly ttlMs?: number
  readonly leaseMs?: number
}

export class TableBench {
  table: LockTable = new LockTable('t')
  /** Behind `START_MS`. */
  nowMs = 0
  readonly events: LockEvent[] = []

  judge(author: ReplicaId, act: LockAct): Verdict {
    const timeMs = START_MS + this.nowMs
    this.table.pass(timeMs)
    const verdict = this.table.judge(lockCommand(act), author, timeMs)
    this.events.push(...this.table.counts())
    return verdict
  }

  answer(author: ReplicaId, act: LockAct): LockAnswer {
    const verdict = this.judge(author, act)
    if (verdict.kind !== 'done') throw new Error(JSON.stringify(verdict))
    return decodeAnswer(verdict.given)
  }

  acquire(
    author: ReplicaId,
    request: number,
    { name = 'x', permits = 1, ttlMs = 1000, leaseMs = 60_000 }: Asked = {},
  ): LockAnswer {
    return this.answer(author, { act: 'acquire', name, request, permits, ttlMs, leaseMs, by: '' })
  }

  release(author: ReplicaId, request: number, name = 'x'): LockAnswer {
    return this.answer(author, { act: 'release', name, request })
  }

  renew(author: ReplicaId, request: number, name = 'x'): Verdict {
    return this.judge(author, { act: 'renew', name, request })
  }

  /** Time goes on, and a command of anybody comes. */
  at(nowMs: number): this {
    this.nowMs = nowMs
    this.judge(C, { act: 'look' })
    return this
  }

  /** Who holds, by their requests. */
  holders(name = 'x'): number[] {
    return this.table.get(name).holders.map(({ request }) => request)
  }

  waiters(name = 'x'): number[] {
    return this.table.get(name).waiters.map(({ request }) => request)
  }

  /** Tokens in the order in which they were given. */
  get tokens(): number[] {
    return this.events.flatMap((event) => (event.kind === 'granted' ? [event.holder.token] : []))
  }
}
