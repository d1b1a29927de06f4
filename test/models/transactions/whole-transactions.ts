/**
 * The model of transactions on eventual keys: replicas write operations in groups, send them in frames of any length,
 * crash at any record, hand whole states to each other, fold what is stable, and issue again what a state lacks.
 *
 * Invariants, after every step and on every replica: of each transaction all is visible or nothing (atomic
 * visibility, as in Bailis et al. 2014, "Scalable Atomic Visibility with RAMP Transactions"), and with it all that its
 * writer had seen (causality, as in Lloyd et al. 2013, "Stronger Semantics for Low-Latency Geo-Replicated Storage").
 * In the end all replicas see the same, and everything that a disk has kept.
 */
import fc from 'fast-check'
import { fail, type Counts, type Model, NO_MUTANT } from '../data-layer/explorer.ts'

export interface Config {
  readonly replicas: number
  /** Operations that may wait at a replica. */
  readonly waitingMax: number
}

interface Op {
  readonly author: string
  readonly sequence: number
  /** The name under which it was issued first. */
  readonly name: string
  /** The transaction, whoever issues it again. */
  readonly transaction: number
  readonly index: number
  readonly count: number
  readonly causes: ReadonlyMap<string, number>
}

interface Record_ {
  readonly op: Op
  /** The group in the log goes on behind it. */
  readonly goesOn: boolean
}

type Vector = Map<string, number>

/** What one replica hands to another one, of one moment. */
interface State {
  readonly folded: readonly Op[]
  readonly log: readonly Record_[]
}

interface Waiting {
  readonly author: string
  readonly ops: Map<number, Op>
}

interface Replica {
  author: string
  readonly ended: Set<string>
  log: Record_[]
  stored: number
  /** Stored at once. */
  folded: Op[]
  applied: Vector
  waiting: Waiting[]
  arriving: State | undefined
  /** What a mutant has not installed yet. */
  halves: Record_[]
}

interface Frame {
  readonly to: number
  readonly ops: readonly Op[]
}

const ACTIONS = 12
const SIZE_MAX = 4
/** Where few may wait, heads of several authors push each other out, and chance has to let one in. */
const ROUNDS_MAX = 20_000
/** What lacks a rule may never come to an end. */
const MUTANT_ROUNDS_MAX = 400

class World {
  readonly #config: Config
  readonly #mutant: string
  readonly #trace: string[] | undefined
  readonly replicas: Replica[]
  readonly counts: Counts = {
    written: 0,
    released: 0,
    waited: 0,
    dropped: 0,
    crashed: 0,
    takenOver: 0,
    again: 0,
    folded: 0,
  }
  #net: Frame[] = []
  #ids = 0
  #drawn = 1
  /** By transaction: its names, and what its writer had seen. */
  readonly #names: string[][] = []
  readonly #seen: ReadonlySet<number>[] = []

  constructor(config: Config, mutant: string, trace: string[] | undefined) {
    this.#config = config
    this.#mutant = mutant
    this.#trace = trace
    this.replicas = Array.from({ length: config.replicas }, () => this.#fresh())
  }

  #fresh(): Replica {
    return {
      ...{ author: this.#newId(), ended: new Set(), log: [], stored: 0, folded: [] },
      ...{ applied: new Map(), waiting: [], arriving: undefined, halves: [] },
    }
  }

  #newId(): string {
    return `r${this.#ids++}`
  }

  step(number: number): void {
    const [action, a, b, c] = digits(number, ACTIONS, this.#config.replicas, 16, 16)
    const replica = this.replicas[a]!
    this.#trace?.push(`${action} at ${a} (${b}, ${c})`)
    if (action <= 1) this.#write(replica, 1 + (b % SIZE_MAX))
    else if (action === 2) replica.stored += Math.min(replica.log.length - replica.stored, 1 + (b % 5))
    else if (action <= 4) this.#send(replica, b % this.#config.replicas, c)
    else if (action <= 6) this.#deliver(b * 16 + c, true)
    else if (action === 7) this.#deliver(b * 16 + c, false)
    else if (action === 8) this.#net.splice(b % Math.max(1, this.#net.length), 1)
    else if (action === 9) this.#crash(replica)
    else if (action === 10) this.#handOver(replica, this.replicas[b % this.#config.replicas]!)
    else this.#fold(replica, b)
    this.check()
  }

  #write(replica: Replica, count: number): void {
    const transaction = this.#names.length
    this.#seen.push(new Set(this.#visible(replica).keys()))
    const names: string[] = []
    this.#names.push(names)
    const first = get(replica.applied, replica.author) + 1
    for (let i = 0; i < count; i++) names.push(`${replica.author}:${first + i}`)
    this.#append(
      replica,
      names.map((name) => ({ name, transaction })),
    )
    this.counts['written']!++
  }

  /** Writes one transaction, for the first time or again. */
  #append(replica: Replica, parts: readonly { readonly name: string; readonly transaction: number }[]): void {
    const { author } = replica
    const before = get(replica.applied, author)
    const causes = new Map([...replica.applied].filter(([other]) => other !== author))
    const count = parts.length
    parts.forEach(({ name, transaction }, index) => {
      const op = { author, sequence: before + 1 + index, name, transaction, index, count, causes }
      replica.log.push({ op, goesOn: index < count - 1 })
    })
    replica.applied.set(author, before + count)
  }

  /** Some of what another one lacks, from its log, in any order but its own. */
  #send(from: Replica, to: number, draw: number): void {
    const target = this.replicas[to]!
    if (target === from) return
    const lacking = from.log
      .slice(0, from.stored)
      .map(({ op }) => op)
      .filter((op) => op.sequence > get(target.applied, op.author))
    const start = draw % Math.max(1, lacking.length)
    const ops = lacking.slice(start, start + 1 + (draw % 3))
    if (ops.length > 0) this.#net.push({ to, ops })
  }

  #deliver(draw: number, isTaken: boolean): void {
    const at = draw % Math.max(1, this.#net.length)
    const frame = this.#net[at]
    if (frame === undefined) return
    if (isTaken) this.#net.splice(at, 1)
    for (const op of frame.ops) this.offer(this.replicas[frame.to]!, op)
  }

  offer(replica: Replica, op: Op): void {
    // Half of a state is there: nothing comes in before the rest.
    if (replica.halves.length > 0) this.#takeHalves(replica)
    if (op.sequence <= get(replica.applied, op.author) || op.author === replica.author) return
    let run = replica.waiting.find(({ author }) => author === op.author)
    if (run === undefined) replica.waiting.push((run = { author: op.author, ops: new Map() }))
    run.ops.set(op.sequence, op)
    this.#release(replica)
    this.#bound(replica)
  }

  #release(replica: Replica): void {
    for (let isAny = true; isAny;) {
      isAny = false
      for (const run of replica.waiting) {
        const group = this.#groupOf(replica, run)
        if (group === undefined) continue
        isAny = true
        this.counts['released']!++
        for (const [i, op] of group.entries()) {
          replica.log.push({ op, goesOn: i < group.length - 1 })
          replica.applied.set(run.author, op.sequence)
          run.ops.delete(op.sequence)
        }
      }
      replica.waiting = replica.waiting.filter(({ ops }) => ops.size > 0)
    }
  }

  /** What may enter of one author, as one. */
  #groupOf(replica: Replica, { author, ops }: Waiting): Op[] | undefined {
    const applied = get(replica.applied, author)
    for (const sequence of [...ops.keys()]) if (sequence <= applied) ops.delete(sequence)
    const head = ops.get(applied + 1)
    if (head === undefined) return undefined
    const count = this.#mutant === 'oneByOne' ? 1 : head.count - head.index
    const group: Op[] = []
    for (let i = 0; i < count; i++) {
      const op = ops.get(applied + 1 + i)
      if (op !== undefined) group.push(op)
    }
    const isThere = this.#mutant === 'lastIsEnough' ? ops.has(applied + count) : group.length === count
    if (!isThere) {
      this.counts['waited']!++
      return undefined
    }
    const hasCauses = [...head.causes].every(([other, through]) => get(replica.applied, other) >= through)
    return hasCauses || this.#mutant === 'causesIgnored' ? group : undefined
  }

  /**
   * What goes when too much waits: what lies farthest behind the group that a run begins with; then of one that is
   * drawn, for two that come in turn would take each other's place for ever by any rule.
   */
  #bound(replica: Replica): void {
    const size = (): number => replica.waiting.reduce((sum, { ops }) => sum + ops.size, 0)
    while (size() > this.#config.waitingMax) {
      const victim = this.#victim(replica)
      if (victim === undefined) return
      victim.ops.delete(Math.max(...victim.ops.keys()))
      replica.waiting = replica.waiting.filter(({ ops }) => ops.size > 0)
      this.counts['dropped']!++
    }
  }

  #victim(replica: Replica): Waiting | undefined {
    const beyond = (run: Waiting): number => {
      const applied = get(replica.applied, run.author)
      const head = run.ops.get(applied + 1)
      const isGroup = head !== undefined && this.#mutant !== 'farthestGoes'
      return Math.max(...run.ops.keys()) - applied - (isGroup ? head.count - head.index : 0)
    }
    const farthest = best(replica.waiting, beyond)
    if (farthest !== undefined && beyond(farthest) > 0) return farthest
    this.#drawn = (Math.imul(this.#drawn, 1_103_515_245) + 12_345) >>> 0
    const isDrawn = this.#mutant !== 'firstGoes'
    return replica.waiting.length > 1
      ? replica.waiting[isDrawn ? (this.#drawn >>> 16) % replica.waiting.length : 0]
      : undefined
  }

  #crash(replica: Replica): void {
    const { log, stored } = replica
    const lost = log.slice(stored).some(({ op }) => op.author === replica.author)
    replica.log = log.slice(0, stored)
    let isTorn = false
    while (this.#mutant !== 'tornKept' && replica.log.at(-1)?.goesOn === true) {
      replica.log.pop()
      isTorn = true
    }
    replica.stored = replica.log.length
    replica.applied = vectorOf(replica)
    replica.waiting = []
    replica.arriving = undefined
    replica.halves = []
    if (lost || isTorn) this.#rename(replica)
    this.counts['crashed']!++
  }

  #rename(replica: Replica): void {
    replica.ended.add(replica.author)
    replica.author = this.#newId()
  }

  /** First the state is sent, of one moment; some time later it takes the place of the present one. */
  #handOver(replica: Replica, from: Replica): void {
    if (replica.halves.length > 0) {
      this.#takeHalves(replica)
      return
    }
    if (replica.arriving === undefined) {
      if (from === replica || from.halves.length > 0) return
      replica.arriving = { folded: [...from.folded], log: [...from.log] }
      return
    }
    const { folded, log } = replica.arriving
    const isThere = new Set([...folded, ...log.map(({ op }) => op)].map(({ name }) => name))
    const before = replica.log
    replica.arriving = undefined
    // The other one may have been asked before it had what has been folded here since.
    if (!replica.folded.every(({ name }) => isThere.has(name))) return
    this.counts['takenOver']!++
    replica.log = [...log]
    replica.folded = [...folded]
    replica.applied = vectorOf(replica)
    this.#reenter(
      replica,
      before.filter(({ op }) => !isThere.has(op.name)),
    )
    // All of it is stored at once.
    replica.stored = replica.log.length
    if (this.#mutant === 'installedInHalves') {
      replica.halves = replica.log.splice(Math.ceil(replica.log.length / 2))
      replica.stored = replica.log.length
    }
    this.#release(replica)
  }

  #takeHalves(replica: Replica): void {
    replica.log.push(...replica.halves.splice(0))
    replica.stored = replica.log.length
  }

  /** What the new state lacks: of others as it is, the rest under a new name, each transaction as one. */
  #reenter(replica: Replica, leftovers: readonly Record_[]): void {
    const own = new Set([...replica.ended, replica.author])
    this.#rename(replica)
    for (const group of groupsOf(leftovers)) {
      const [first] = group as [Op]
      if (!own.has(first.author) && isNext(replica, first)) {
        for (const [i, op] of group.entries()) {
          replica.log.push({ op, goesOn: i < group.length - 1 })
          replica.applied.set(op.author, op.sequence)
        }
        continue
      }
      this.counts['again']!++
      if (this.#mutant === 'againOneByOne') for (const op of group) this.#append(replica, [op])
      else this.#append(replica, group)
    }
  }

  /** Some of what everybody has on disk, in whatever transaction, as keys are folded one by one. */
  #fold(replica: Replica, draw: number): void {
    const stable = (op: Op): boolean => this.replicas.every((other) => storedThrough(other, op.author) >= op.sequence)
    const due = replica.log.slice(0, replica.stored).filter(({ op }, i) => stable(op) && (i + draw) % 3 !== 0)
    // A record that the group goes on behind leads to the next one that is left.
    for (const record of due) {
      replica.folded.push(record.op)
      const at = replica.log.indexOf(record)
      replica.log.splice(at, 1)
      replica.stored--
      this.counts['folded']!++
    }
    const gone = new Set(due)
    replica.log = replica.log.map((record, i) => {
      const next = replica.log[i + 1]
      const goesOn = record.goesOn && next?.op.transaction === record.op.transaction
      return gone.size > 0 && goesOn !== record.goesOn ? { ...record, goesOn } : record
    })
  }

  #visible(replica: Replica): Map<number, Set<string>> {
    const byTransaction = new Map<number, Set<string>>()
    const names = new Set([...replica.folded, ...replica.log.map(({ op }) => op)].map(({ name }) => name))
    this.#names.forEach((all, transaction) => {
      const seen = all.filter((name) => names.has(name))
      if (seen.length > 0) byTransaction.set(transaction, new Set(seen))
    })
    return byTransaction
  }

  check(): void {
    for (const [number, replica] of this.replicas.entries()) {
      const visible = this.#visible(replica)
      for (const [transaction, names] of visible) this.#checkOne(`replica ${number}`, visible, transaction, names.size)
    }
  }

  #checkOne(who: string, visible: ReadonlyMap<number, unknown>, transaction: number, count: number): void {
    const all = this.#names[transaction]!.length
    if (count < all) fail(`${who} sees ${count} of ${all} of transaction ${transaction}`)
    for (const cause of this.#seen[transaction]!)
      if (!visible.has(cause)) fail(`${who} sees transaction ${transaction} without ${cause}, its cause`)
  }

  /** Everybody tells everybody, an operation of each at a time, until nothing is missing. */
  heal(): void {
    const kept = new Set<number>()
    for (const replica of this.replicas) {
      this.#takeHalves(replica)
      replica.stored = replica.log.length
      for (const transaction of this.#visible(replica).keys()) kept.add(transaction)
    }
    const roundsMax = this.#mutant === NO_MUTANT ? ROUNDS_MAX : MUTANT_ROUNDS_MAX
    for (let round = 0; round < roundsMax; round++) {
      for (const replica of this.replicas) this.#fetch(replica)
      if (this.replicas.every((replica) => this.#visible(replica).size === kept.size)) return
    }
    fail(`not all of the ${kept.size} transactions have come everywhere`)
  }

  #fetch(replica: Replica): void {
    // What has been folded elsewhere comes with a state alone.
    const holder = this.replicas.find(({ folded }) =>
      folded.some(({ author, sequence }) => sequence > get(replica.applied, author)),
    )
    if (holder !== undefined) {
      replica.arriving = undefined
      this.#handOver(replica, holder)
      this.#handOver(replica, holder)
    }
    const lacking = this.replicas
      .filter((other) => other !== replica)
      .flatMap(({ log }) => log.map(({ op }) => op))
      .filter(({ author, sequence }) => sequence > get(replica.applied, author))
    const authors = [...new Set(lacking.map(({ author }) => author))]
    for (const author of Array.from({ length: SIZE_MAX }, () => authors).flat()) {
      const op = lacking.find((one) => one.author === author && !isWaiting(replica, one))
      if (op !== undefined) this.offer(replica, op)
    }
    this.check()
  }
}

function groupsOf(leftovers: readonly Record_[]): Op[][] {
  const groups: Op[][] = []
  for (const { op } of leftovers) {
    const group = groups.at(-1)
    const last = group?.at(-1)
    if (group !== undefined && last?.transaction === op.transaction && last.author === op.author) group.push(op)
    else groups.push([op])
  }
  return groups
}

function isNext({ applied }: Replica, { author, sequence, causes }: Op): boolean {
  const hasCauses = [...causes].every(([other, through]) => get(applied, other) >= through)
  return hasCauses && sequence === get(applied, author) + 1
}

function vectorOf({ log, folded }: Pick<Replica, 'log' | 'folded'>): Vector {
  const vector: Vector = new Map()
  for (const { author, sequence } of [...folded, ...log.map(({ op }) => op)])
    vector.set(author, Math.max(sequence, get(vector, author)))
  return vector
}

/** How far a crash would leave it. */
function storedThrough({ log, stored, folded }: Replica, author: string): number {
  let end = stored
  while (log[end - 1]?.goesOn === true) end--
  return get(vectorOf({ log: log.slice(0, end), folded }), author)
}

function isWaiting({ waiting }: Replica, { author, sequence }: Op): boolean {
  return waiting.some((run) => run.author === author && run.ops.has(sequence))
}

function get(vector: ReadonlyMap<string, number>, author: string): number {
  return vector.get(author) ?? 0
}

function best(runs: readonly Waiting[], of: (run: Waiting) => number): Waiting | undefined {
  let found: Waiting | undefined
  for (const run of runs) if (found === undefined || of(run) > of(found)) found = run
  return found
}

function digits(number: number, ...bases: readonly number[]): [number, number, number, number] {
  let rest = number
  return bases.map((base) => {
    const digit = rest % base
    rest = Math.floor(rest / base)
    return digit
  }) as [number, number, number, number]
}

export const WHOLE_TRANSACTIONS: Model<Config> = {
  name: 'transactions on eventual keys',
  configs: fc.record({
    replicas: fc.integer({ min: 2, max: 4 }),
    waitingMax: fc.integer({ min: 1, max: 12 }),
  }),
  simpler: [{ replicas: 2 }, { waitingMax: 12 }],
  stepsMax: 120,
  mutants: {
    oneByOne: 'a receiver waits for all of a transaction',
    lastIsEnough: 'for all of it, not for its end alone',
    causesIgnored: 'and for its causes',
    farthestGoes: 'what waits with a beginning is not what goes first',
    firstGoes: 'nor one of them before the other',
    tornKept: 'a log that ends inside of a transaction ends in front of it',
    installedInHalves: 'a state takes the place of another one at once',
    againOneByOne: 'what is issued again is a transaction again',
  },
  directed: {},
  run(config, steps, mutant, trace) {
    const world = new World(config, mutant, trace)
    for (const number of steps) world.step(number)
    world.heal()
    return world.counts
  },
}
