/**
 * Measures contestants against each other. Machines are noisy and get slower and faster as they
 * please, so contestants take turns: in every round each of them runs once, in an order that
 * rotates, and a ratio is formed within the round. What is reported is the median over rounds. A
 * contestant's work is checked after every round; a fast wrong answer is worth nothing.
 */
export interface Running {
  /** Does the operations of one batch. Timed. Returns a promise only if it has to wait. */
  batch(index: number): void | Promise<void>
  /** Throws unless what has been done is right. Not timed. */
  verify(): void | Promise<void>
  close?(): void | Promise<void>
}

export interface Contestant {
  readonly name: string
  /** Makes ready. Not timed. */
  open(): Running | Promise<Running>
}

export interface Race {
  readonly contestants: readonly Contestant[]
  /** Which contestant the ratios are to. */
  readonly baseline: string
  /** Operations in one batch, the unit that is timed. */
  readonly operations: number
  /** Batches in one round. Default 5. */
  readonly batches?: number
  /** Default 7. */
  readonly rounds?: number
  /** Rounds before those, which are not counted. Default 1. */
  readonly warmups?: number
  /**
   * Whether every round starts from `open` again, for what grows as it is written to. Default:
   * opened once.
   */
  readonly fresh?: boolean
}

export interface Standing {
  readonly name: string
  /** Nanoseconds for one operation: the median and the 99th percentile of batches. */
  readonly medianNs: number
  readonly p99Ns: number
  readonly perSecond: number
  /** Speed in units of the baseline's, within one round: 2 is twice as fast. */
  readonly ratio: number
}

/** Batches of one contestant in one round: nanoseconds per operation. */
type Times = readonly number[]

export async function race(options: Race): Promise<Standing[]> {
  const { contestants, baseline, rounds = 7, warmups = 1 } = options
  if (!contestants.some(({ name }) => name === baseline)) throw new Error(`no contestant is named ${baseline}`)
  const times = new Map<string, Times[]>(contestants.map(({ name }) => [name, []]))
  const kept = new Map<Contestant, Running>()
  for (let round = 0; round < warmups + rounds; round++) {
    for (const contestant of rotated(contestants, round)) {
      const taken = await takeTurn(contestant, kept, options)
      if (round >= warmups) times.get(contestant.name)?.push(taken)
    }
  }
  for (const running of kept.values()) await running.close?.()
  return standings(times, baseline)
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const cut = by % items.length
  return [...items.slice(cut), ...items.slice(0, cut)]
}

async function takeTurn(contestant: Contestant, kept: Map<Contestant, Running>, options: Race): Promise<Times> {
  const running = kept.get(contestant) ?? (await contestant.open())
  const taken = await runRound(running, options)
  await running.verify()
  if (options.fresh === true) await running.close?.()
  else kept.set(contestant, running)
  return taken
}

async function runRound(running: Running, { operations, batches = 5 }: Race): Promise<Times> {
  globalThis.gc?.()
  const taken: number[] = []
  for (let i = 0; i < batches; i++) {
    const startedAt = process.hrtime.bigint()
    const pending = running.batch(i)
    if (pending !== undefined) await pending
    taken.push(Number(process.hrtime.bigint() - startedAt) / operations)
  }
  return taken
}

/** Exported for its test. */
export function standings(times: ReadonlyMap<string, readonly Times[]>, baseline: string): Standing[] {
  const base = times.get(baseline) ?? []
  return [...times].map(([name, rounds]) => {
    const all = rounds.flat()
    const medianNs = quantile(all, 0.5)
    const ratios = rounds.map((round, i) => quantile(base[i] ?? [], 0.5) / quantile(round, 0.5))
    return { name, medianNs, p99Ns: quantile(all, 0.99), perSecond: 1e9 / medianNs, ratio: quantile(ratios, 0.5) }
  })
}

/** The smallest value that at least this share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** Bytes of the heap and of buffers that are in use after a full collection. */
export function retainedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('benches run with --expose-gc: npm run bench')
  for (let i = 0; i < 3; i++) globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
