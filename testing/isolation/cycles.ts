/**
 * Finds cycles of dependencies by kind, a shortest one in each strongly connected component.
 *
 * A kind is a small automaton that reads the edges of a walk: it starts with an edge that every
 * such cycle has, and says of each further edge where it leads, or that it may not come. A
 * breadth-first search over pairs of transaction and state, back to where the walk began, then
 * finds a shortest cycle. At most `STARTS_MAX` edges per component are tried as the first for kinds
 * where any of them does.
 *
 * 1. Kyle Kingsbury, Peter Alvaro, "Elle: inferring isolation anomalies from experimental
 *    observations", VLDB 14(3), 2020.
 */
import type { CycleName } from './anomaly.ts'
import { components } from './components.ts'
import type { Basis, Dependency, DependencyGraph } from './dependencies.ts'
import type { Transaction } from './transactions.ts'

/** Shorter cycles are easier to read, but the first one is proof enough. */
const STARTS_MAX = 64

export interface FoundCycle {
  readonly name: CycleName
  readonly edges: readonly Dependency[]
}

/** How far an edge's basis goes: everything holds in real time that holds within a process. */
const REACH: Readonly<Record<Basis, number>> = { data: 0, process: 1, realtime: 2 }

/**
 * The cycles that rest on `basis` and nothing beyond, and do need it: with `'data'` those of the
 * data alone, with `'process'` those that do not close without the order in a process, with
 * `'realtime'` those that need real time.
 */
export function findCycles(graph: DependencyGraph, basis: Basis): FoundCycle[] {
  const within = (edge: Dependency): boolean => REACH[edge.basis] <= REACH[basis]
  const all = componentsOf(graph, graph.transactions, within)
  return all.flatMap((component) => {
    const found = (kind: Kind): FoundCycle[] =>
      componentsOf(graph, component, (edge) => within(edge) && kind.step(ANY, edge) !== STOP).flatMap((part) => {
        const edges = shortestCycle(graph, new Set(part), { kind, basis, within })
        return edges === undefined ? [] : [{ name: kind.name, edges }]
      })
    const cycles = [WRITES, INFORMATION, SINGLE].flatMap(found)
    // A component that has a cycle with one anti-dependency has ones with more of them, which say
    // nothing new.
    if (cycles.some(({ name }) => name === SINGLE.name)) return cycles
    const skewed = found(NONADJACENT)
    return [...cycles, ...(skewed.length > 0 ? skewed : found(ADJACENT))]
  })
}

/** No further. */
const STOP = -1
/** The state to ask whether an edge may ever come. */
const ANY = 0

/** Bits of a state. */
const LAST_IS_RW = 1
const HAS_MORE_RW = 2
const HAS_BASIS = 4
const STATES = 8

interface Kind {
  readonly name: CycleName
  /** Whether a walk may start here; each such cycle has such an edge. */
  starts(edge: Dependency): boolean
  /** The state behind an edge, or `STOP`. Its bits are those that this kind reads. */
  step(state: number, edge: Dependency): number
  /** The state behind the first edge. */
  readonly first: number
  /** Whether a cycle may close in this state. */
  closes(state: number): boolean
}

/**
 * What real time says about versions holds from snapshot isolation on, so below that it does not
 * count as a write.
 */
function isOrder(edge: Dependency): boolean {
  return edge.kind === 'order'
}

function isData(edge: Dependency): boolean {
  return edge.basis === 'data'
}

const WRITES: Kind = {
  name: 'G0',
  starts: (edge) => edge.kind === 'ww' && isData(edge),
  step: (state, edge) => (isOrder(edge) || (edge.kind === 'ww' && isData(edge)) ? state : STOP),
  first: 0,
  closes: () => true,
}

const INFORMATION: Kind = {
  name: 'G1c',
  starts: (edge) => edge.kind === 'wr',
  step: (state, edge) => (isOrder(edge) || (edge.kind !== 'rw' && isData(edge)) ? state : STOP),
  first: 0,
  closes: () => true,
}

/**
 * One anti-dependency at most: none at all if it is a write that only real time puts behind another
 * one.
 */
const SINGLE: Kind = {
  name: 'G-single',
  starts: (edge) => edge.kind === 'rw' || (edge.kind === 'ww' && !isData(edge)),
  step: (state, edge) => (edge.kind === 'rw' && state !== ANY ? STOP : state),
  first: HAS_MORE_RW,
  closes: () => true,
}

const NONADJACENT: Kind = {
  name: 'G-nonadjacent',
  starts: (edge) => edge.kind === 'rw',
  step(state, edge) {
    if (edge.kind !== 'rw') return state & ~LAST_IS_RW
    return (state & LAST_IS_RW) !== 0 ? STOP : state | LAST_IS_RW | HAS_MORE_RW
  },
  first: LAST_IS_RW,
  closes: (state) => (state & LAST_IS_RW) === 0 && (state & HAS_MORE_RW) !== 0,
}

const ADJACENT: Kind = {
  name: 'G2-item',
  starts: (edge) => edge.kind === 'rw',
  step: (state, edge) => (edge.kind === 'rw' ? state | HAS_MORE_RW : state),
  first: 0,
  closes: (state) => (state & HAS_MORE_RW) !== 0,
}

function componentsOf(
  graph: DependencyGraph,
  transactions: readonly Transaction[],
  isUsed: (edge: Dependency) => boolean,
): Transaction[][] {
  const members = new Set(transactions)
  return components(transactions, (one) =>
    graph.edgesFrom(one).flatMap((edge) => (isUsed(edge) && members.has(edge.to) ? [edge.to] : [])),
  )
}

interface Wanted {
  readonly kind: Kind
  readonly basis: Basis
  readonly within: (edge: Dependency) => boolean
}

function shortestCycle(
  graph: DependencyGraph,
  part: ReadonlySet<Transaction>,
  wanted: Wanted,
): readonly Dependency[] | undefined {
  const starts = [...part].flatMap((one) =>
    graph.edgesFrom(one).filter((edge) => wanted.within(edge) && part.has(edge.to) && wanted.kind.starts(edge)),
  )
  // Of equally short ones, those that begin with an anti-dependency are easier to follow.
  starts.sort((a, b) => Number(b.kind === 'rw') - Number(a.kind === 'rw'))
  let shortest: readonly Dependency[] | undefined
  let foundCount = 0
  for (const start of starts) {
    const cycle = cycleFrom(graph, part, start, wanted)
    if (cycle === undefined) continue
    if (shortest === undefined || cycle.length < shortest.length) shortest = cycle
    if (++foundCount >= STARTS_MAX) break
  }
  return shortest
}

/** How a transaction was reached in a state. */
interface Reached {
  readonly edge: Dependency
  readonly state: number
  readonly before: Reached | undefined
}

function cycleFrom(
  graph: DependencyGraph,
  part: ReadonlySet<Transaction>,
  start: Dependency,
  { kind, basis, within }: Wanted,
): readonly Dependency[] | undefined {
  const withBasis = (state: number, edge: Dependency): number =>
    edge.basis === basis && basis !== 'data' ? state | HAS_BASIS : state
  const isClosed = ({ edge, state }: Reached): boolean =>
    edge.to === start.from && kind.closes(state) && (basis === 'data' || (state & HAS_BASIS) !== 0)
  const seen = new Set<number>()
  const queue: Reached[] = [{ edge: start, state: withBasis(kind.first, start), before: undefined }]
  for (const reached of queue) {
    for (const edge of graph.edgesFrom(reached.edge.to)) {
      if (!within(edge) || !part.has(edge.to)) continue
      const stepped = kind.step(reached.state, edge)
      if (stepped === STOP) continue
      const next: Reached = { edge, state: withBasis(stepped, edge), before: reached }
      const name = edge.to.index * STATES + next.state
      if (isClosed(next)) return walked(next)
      if (edge.to === start.from || seen.has(name)) continue
      seen.add(name)
      queue.push(next)
    }
  }
  return undefined
}

/**
 * The edges from the first on; `undefined` if it comes by a transaction twice, so that it is more
 * than one cycle.
 */
function walked(last: Reached): readonly Dependency[] | undefined {
  const edges: Dependency[] = []
  for (let at: Reached | undefined = last; at !== undefined; at = at.before) edges.unshift(at.edge)
  return new Set(edges.map(({ from }) => from)).size === edges.length ? edges : undefined
}
