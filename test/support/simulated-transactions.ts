/**
 * Histories of a database that runs transactions side by side and isolates them as well as it is told to, from a seed:
 *
 * - `serial`: one at a time, at one moment of theirs;
 * - `snapshot`: each sees what was committed when it began, and of two that write one key the later one fails;
 * - `committed`: each micro-operation sees what is committed; writes come out together at the end;
 * - `uncommitted`: all that is written is seen at once, and stays even if the transaction fails.
 */
import type { History, HistoryEvent } from '../../testing/history/history.ts'
import type { Json } from '../../testing/history/json.ts'
import type { Random } from '../../testing/world/random.ts'

export type Isolation = 'serial' | 'snapshot' | 'committed' | 'uncommitted'

export interface TransactionsOptions {
  readonly isolation: Isolation
  readonly kind: 'list-append' | 'rw-register'
  readonly transactions: number
  readonly processes: number
  readonly keys: number
  readonly indeterminate?: number
  readonly failed?: number
  /** Ends with a transaction that reads every key, after all others. */
  readonly hasFinalRead?: boolean
}

type Operation = readonly [string, string, Json]

interface Running {
  readonly process: number
  readonly operations: readonly Operation[]
  readonly done: Operation[]
  /** What it sees: its snapshot, or nothing of its own. */
  readonly began: ReadonlyMap<string, Json>
  readonly own: Operation[]
}

export function simulatedTransactions(random: Random, options: TransactionsOptions): History {
  return { events: new Database(random, options).run() }
}

class Database {
  readonly #random: Random
  readonly #options: TransactionsOptions
  readonly #events: HistoryEvent[] = []
  readonly #store = new Map<string, Json>()
  readonly #running = new Map<number, Running>()
  readonly #processes: number[]
  #written = 0
  #begun = 0

  constructor(random: Random, options: TransactionsOptions) {
    this.#random = random
    this.#options = options
    this.#processes = Array.from({ length: options.processes }, (_, i) => i)
  }

  run(): HistoryEvent[] {
    const { transactions, processes, hasFinalRead } = this.#options
    while (this.#begun < transactions || this.#running.size > 0) {
      const slot = this.#random.below(processes)
      const running = this.#running.get(slot)
      if (running !== undefined) this.#goOn(slot, running)
      else if (this.#begun < transactions) this.#begin(slot, this.#draw())
    }
    if (hasFinalRead === true) {
      this.#begin(
        0,
        this.#keys().map((key) => ['r', key, null] as const),
      )
      for (let last = this.#running.get(0); last !== undefined; last = this.#running.get(0)) this.#advance(0, last)
    }
    return this.#events
  }

  #keys(): string[] {
    return Array.from({ length: this.#options.keys }, (_, i) => `k${i}`)
  }

  #draw(): Operation[] {
    const write = this.#options.kind === 'list-append' ? 'append' : 'w'
    return Array.from({ length: this.#random.between(1, 3) }, () => {
      const key = this.#random.pick(this.#keys())
      return this.#random.chance(0.5) ? (['r', key, null] as const) : ([write, key, ++this.#written] as const)
    })
  }

  #begin(slot: number, operations: readonly Operation[]): void {
    const process = this.#processes[slot] as number
    this.#events.push({ type: 'invoke', process, f: 'txn', value: operations })
    this.#running.set(slot, { process, operations, done: [], began: new Map(this.#store), own: [] })
    this.#begun++
  }

  #goOn(slot: number, running: Running): void {
    const { indeterminate = 0, failed = 0 } = this.#options
    if (this.#random.chance(indeterminate / 3)) {
      if (this.#random.chance(0.5)) this.#finish(running)
      this.#end(slot, running, 'info')
      this.#processes[slot]! += this.#options.processes
      return
    }
    const mayFail = this.#options.isolation !== 'serial' || running.done.length === 0
    if (mayFail && this.#random.chance(failed / 3)) this.#end(slot, running, 'fail')
    else this.#advance(slot, running)
  }

  /** One micro-operation, or the end; all of them at one moment if they are to be serial. */
  #advance(slot: number, running: Running): void {
    const rest = running.operations.slice(running.done.length)
    const isSerial = this.#options.isolation === 'serial'
    for (const operation of isSerial ? rest : rest.slice(0, 1)) this.#execute(running, operation)
    if (rest.length === 0) this.#end(slot, running, this.#finish(running) ? 'ok' : 'fail')
  }

  #execute(running: Running, [name, key, value]: Operation): void {
    const { isolation } = this.#options
    if (name !== 'r') {
      running.done.push([name, key, value])
      if (isolation === 'uncommitted' || isolation === 'serial') this.#write(name, key, value)
      else running.own.push([name, key, value])
      return
    }
    const seen = isolation === 'snapshot' ? running.began : this.#store
    const own = running.own.filter((other) => other[1] === key)
    running.done.push(['r', key, own.reduce<Json>((before, [f, , v]) => written(f, before, v), seen.get(key) ?? null)])
  }

  #write(name: string, key: string, value: Json): void {
    this.#store.set(key, written(name, this.#store.get(key) ?? null, value))
  }

  /** Commits. `false` if it cannot. */
  #finish({ own, began, done, operations }: Running): boolean {
    const isLate = own.some(([, key]) => this.#store.get(key) !== began.get(key))
    if (this.#options.isolation === 'snapshot' && isLate) return false
    if (done.length < operations.length) return false
    for (const [name, key, value] of own) this.#write(name, key, value)
    return true
  }

  #end(slot: number, { process, done }: Running, type: 'ok' | 'fail' | 'info'): void {
    this.#events.push({ type, process, f: 'txn', ...(type === 'ok' ? { value: done } : {}) })
    this.#running.delete(slot)
  }
}

function written(name: string, before: Json, value: Json): Json {
  return name === 'append' ? [...((before ?? []) as readonly Json[]), value] : value
}
