/**
 * Commands that held this server up for long: SLOWLOG keeps the newest of them, LATENCY how long they took,
 * second by second. Commands that the table calls fast are not timed: to ask the clock would cost as much as
 * they do.
 */
import { withoutPasswords } from './monitors.ts'
import type { CommandFacts } from '../call/command-facts.ts'
import type { Client } from '../connections/client.ts'

export interface SlowCommand {
  readonly id: number
  readonly atMs: number
  readonly tookMs: number
  /** Cut short. */
  readonly args: readonly string[]
  readonly address: string
  readonly clientName: string
}

export interface Latency {
  readonly atSeconds: number
  /** Rounded up. */
  tookMs: number
}

const ARGUMENTS_MAX = 32
const CHARACTERS_MAX = 128
/** Seconds of which the longest command is kept. */
const LATENCIES_MAX = 160

export class SlowLog {
  /** Microseconds; below 0 nothing is logged. */
  slowerThanUs = 10_000
  entriesMax = 128
  /** Milliseconds; 0: nothing is kept for LATENCY. */
  latencyMs = 0
  #entries: SlowCommand[] = []
  #latencies: Latency[] = []
  #latencyMaxMs = 0
  #lastId = 0

  get entries(): readonly SlowCommand[] {
    return this.#entries
  }

  get latencies(): readonly Latency[] {
    return this.#latencies
  }

  /** The longest since `forgetLatencies`. */
  get latencyMaxMs(): number {
    return this.#latencyMaxMs
  }

  took(
    command: CommandFacts,
    args: readonly string[],
    by: { readonly client: Client; readonly nowMs: number; readonly tookMs: number },
  ): void {
    const { client, nowMs, tookMs } = by
    if (this.latencyMs > 0 && tookMs >= this.latencyMs) this.#addLatency(Math.floor(nowMs / 1000), Math.ceil(tookMs))
    if (this.slowerThanUs < 0 || tookMs * 1000 < this.slowerThanUs) return
    const entry = {
      ...{ id: this.#lastId++, atMs: nowMs, tookMs, address: client.address, clientName: client.name },
      args: cut(withoutPasswords(command.name, args)),
    }
    this.#entries = [entry, ...this.#entries].slice(0, this.entriesMax)
  }

  forget(): void {
    this.#entries = []
  }

  /** Returns whether there was anything. */
  forgetLatencies(): boolean {
    const had = this.#latencies.length > 0
    this.#latencies = []
    this.#latencyMaxMs = 0
    return had
  }

  #addLatency(atSeconds: number, tookMs: number): void {
    this.#latencyMaxMs = Math.max(this.#latencyMaxMs, tookMs)
    const last = this.#latencies.at(-1)
    if (last?.atSeconds === atSeconds) last.tookMs = Math.max(last.tookMs, tookMs)
    else this.#latencies = [...this.#latencies, { atSeconds, tookMs }].slice(-LATENCIES_MAX)
  }
}

function cut(args: readonly string[]): readonly string[] {
  const shown = args.length > ARGUMENTS_MAX ? args.slice(0, ARGUMENTS_MAX - 1) : args
  const short = shown.map((one) =>
    one.length > CHARACTERS_MAX
      ? `${one.slice(0, CHARACTERS_MAX)}... (${one.length - CHARACTERS_MAX} more bytes)`
      : one,
  )
  return shown === args ? short : [...short, `... (${args.length - shown.length} more arguments)`]
}
