/**
 * Is there an order of these calls, of one object, that a sequential model accepts? The search of
 * Wing and Gong, with Lowe's memory of configurations: give a call that may come next its place, go
 * on from there, take it back when nothing fits.
 *
 * A call may come next if it was invoked before the first return that is left. An indeterminate one
 * has no return: it may come at any later time, or never, so the search is over when all calls that
 * returned have a place. Undisciplined, that is what makes checkers explode: each may-be doubles
 * what there is to try. Four rules keep it small, none of which loses an order (consider one with
 * as few may-bes as possible):
 *
 * - a may-be is asked after all calls that returned: it takes place when it is needed, not before;
 * - one that leaves the state as it is, is left out;
 * - of equal ones, the earliest invoked comes first;
 * - one whose effect the very next call does not notice (a write that is overwritten) is left out.
 *
 * A fifth one is the memory's: who got as far with more may-bes need not go on
 * (`configuration-set.ts`). Further, at most `chainMax` may-bes may come in a row; the search is
 * run for 1, then 4, then any number, unless the bound never mattered.
 *
 * Cost: exponential in the calls that overlap, at worst; about linear for what real systems do. The
 * bound is in steps (questions to the model), not in time, so that the same history has the same
 * verdict on every machine.
 *
 * 1. Jeannette Wing, Chun Gong, "Testing and verifying concurrent objects", J. Parallel and
 *    Distributed Computing 17, 1993.
 * 2. Gavin Lowe, "Testing for linearizability", Concurrency and Computation: Practice and
 *    Experience 29(4), 2017.
 * 3. Alex Horn, Daniel Kroening, "Faster linearizability checking via P-compositionality", FORTE
 *    2015.
 */
import type { Call } from '../history/history.ts'
import { type Json, canonicalText } from '../history/json.ts'
import { CallList, END, callOf, isReturn } from './call-list.ts'
import { ConfigurationSet } from './configuration-set.ts'
import type { SequentialModel, Step } from './model.ts'

const CHAINS = [1, 4, Number.POSITIVE_INFINITY]

/** A question to a model costs about as much as eight comparisons of sets of may-bes. */
const COMPARISONS_SHIFT = 3

export type SearchResult =
  /** The calls in an order that explains everything; may-bes that it does without are not in it. */
  | { readonly kind: 'linearizable'; readonly order: readonly Call[]; readonly stepsCount: number }
  /** The order that got furthest before nothing fitted. */
  | { readonly kind: 'violation'; readonly longest: readonly Call[]; readonly stepsCount: number }
  | { readonly kind: 'undecided'; readonly stepsCount: number }

/** `calls` of one object in the order of their invocations, without failed ones. */
export function searchOrder<State>(
  model: SequentialModel<State>,
  calls: readonly Call[],
  stepsMax: number,
): SearchResult {
  const states = new States(model)
  const twins = earlierTwins(calls)
  let stepsCount = 0
  for (const chainMax of CHAINS) {
    const search = new Search(model, states, { calls, twins, chainMax, stepsMax: stepsMax - stepsCount })
    const result = search.run()
    stepsCount += result.stepsCount
    if (result.kind !== 'violation' || !search.wasCut) return { ...result, stepsCount }
  }
  return { kind: 'undecided', stepsCount } // not reached: the last chain is without bound
}

/** Numbers for states, equal ones the same. */
class States<State> {
  readonly #identity: (state: State) => number | string
  readonly #numbers = new Map<number | string, number>()

  constructor(model: SequentialModel<State>) {
    // A model without `identity` has promised states that are JSON.
    this.#identity = model.identity?.bind(model) ?? identityOfJson
  }

  numberOf(state: State): number {
    const identity = this.#identity(state)
    let found = this.#numbers.get(identity)
    if (found === undefined) this.#numbers.set(identity, (found = this.#numbers.size))
    return found
  }
}

/** Numbers for themselves; the text of any other value is no number. */
function identityOfJson(state: unknown): number | string {
  return typeof state === 'number' ? state : canonicalText(state as Json)
}

/** No call. */
const NONE = -1

/** For each indeterminate call the one before it that says the same. */
function earlierTwins(calls: readonly Call[]): Int32Array {
  const twins = new Int32Array(calls.length).fill(NONE)
  const last = new Map<string, number>()
  calls.forEach((call, i) => {
    if (call.outcome !== 'indeterminate') return
    const text = canonicalText([call.f, call.input])
    twins[i] = last.get(text) ?? NONE
    last.set(text, i)
  })
  return twins
}

/** A bit for each call: from 0 for those that returned, from `firstLost` for the others. */
function bitsOf(calls: readonly Call[], firstLost: number): Int32Array {
  let returned = 0
  let lost = firstLost
  return Int32Array.from(calls, ({ outcome }) => (outcome === 'indeterminate' ? lost++ : returned++))
}

interface Task {
  readonly calls: readonly Call[]
  readonly twins: Int32Array
  readonly chainMax: number
  readonly stepsMax: number
}

/** A call that has been given its place, and what was so before it. */
interface Placed<State> {
  readonly call: number
  readonly state: State
  readonly stateNumber: number
  /** How many may-bes in a row end here. */
  readonly chain: number
}

class Search<State> {
  readonly #model: SequentialModel<State>
  readonly #states: States<State>
  readonly #task: Task
  readonly #list: CallList
  /**
   * Which calls have a place: those that returned, and from a new word on those of unknown outcome.
   */
  readonly #bits: Int32Array
  readonly #bitOf: Int32Array
  readonly #seen: ConfigurationSet
  readonly #placed: Placed<State>[] = []
  #longest: readonly Call[] = []
  #questionsCount = 0
  #state: State
  #stateNumber: number
  /** Whether the bound on chains has forbidden anything, so that a longer one might find more. */
  wasCut = false

  constructor(model: SequentialModel<State>, states: States<State>, task: Task) {
    this.#model = model
    this.#states = states
    this.#task = task
    this.#list = new CallList(task.calls)
    const lostCount = task.calls.filter(({ outcome }) => outcome === 'indeterminate').length
    const returnedWords = Math.ceil((task.calls.length - lostCount) / 32)
    const lostWords = Math.ceil(lostCount / 32)
    this.#bits = new Int32Array(returnedWords + lostWords)
    this.#bitOf = bitsOf(task.calls, returnedWords * 32)
    this.#seen = new ConfigurationSet(returnedWords, lostWords)
    this.#state = model.initial
    this.#stateNumber = states.numberOf(model.initial)
  }

  run(): SearchResult {
    let candidate = this.#candidateAfter(NONE)
    while (this.#list.pendingCount > 0) {
      if (this.#steps >= this.#task.stepsMax) return { kind: 'undecided', stepsCount: this.#steps }
      if (candidate === NONE) {
        const last = this.#takeBack()
        if (last === NONE) return { kind: 'violation', longest: this.#longest, stepsCount: this.#steps }
        candidate = this.#candidateAfter(last)
      } else candidate = this.#candidateAfter(this.#place(candidate) ? NONE : candidate)
    }
    return { kind: 'linearizable', order: this.#order(), stepsCount: this.#steps }
  }

  get #steps(): number {
    return this.#questionsCount + (this.#seen.comparisonsCount >> COMPARISONS_SHIFT)
  }

  /**
   * The next call that may come next, behind one that has been tried; first those that returned.
   * `NONE` if there is none.
   */
  #candidateAfter(tried: number): number {
    const wasIndeterminate = tried !== NONE && this.#isIndeterminate(tried)
    if (!wasIndeterminate) {
      const node = tried === NONE ? this.#list.first : this.#list.next(2 * tried + 1)
      if (node !== END && !isReturn(node)) return callOf(node)
    }
    const node = wasIndeterminate ? this.#list.nextIndeterminate(2 * tried + 1) : this.#list.firstIndeterminate
    if (node === END) return NONE
    const call = callOf(node)
    return this.#task.calls[call]!.invokedAt < this.#list.deadline ? call : NONE
  }

  /**
   * Gives a call its place behind those that have one, unless it does not fit there or there is no
   * use in it.
   */
  #place(call: number): boolean {
    const chain = this.#isIndeterminate(call) ? (this.#placed.at(-1)?.chain ?? 0) + 1 : 0
    if (chain > 0 && !this.#isChainAllowed(call, chain)) return false
    const step = this.#ask(this.#state, call)
    if (!step.accepts) return false
    const stateNumber = this.#states.numberOf(step.state)
    if (chain > 0 && stateNumber === this.#stateNumber) return false
    if (this.#isLastUnnoticed(call, stateNumber)) return false
    this.#toggle(call)
    if (!this.#seen.add(this.#bits, stateNumber)) {
      this.#toggle(call)
      return false
    }
    this.#placed.push({ call, state: this.#state, stateNumber: this.#stateNumber, chain })
    this.#list.lift(call)
    this.#state = step.state
    this.#stateNumber = stateNumber
    return true
  }

  #isChainAllowed(call: number, chain: number): boolean {
    const twin = this.#task.twins[call]!
    if (twin !== NONE && !this.#hasPlace(twin)) return false
    if (chain <= this.#task.chainMax) return true
    this.wasCut = true
    return false
  }

  /** Whether the call placed last is a may-be, and this one leads to the same state without it. */
  #isLastUnnoticed(call: number, stateNumber: number): boolean {
    const last = this.#placed.at(-1)
    if (last === undefined || last.chain === 0) return false
    const step = this.#ask(last.state, call)
    return step.accepts && this.#states.numberOf(step.state) === stateNumber
  }

  /** Undoes the last placing; returns its call, or `NONE`. */
  #takeBack(): number {
    if (this.#placed.length > this.#longest.length) this.#longest = this.#order()
    const last = this.#placed.pop()
    if (last === undefined) return NONE
    this.#toggle(last.call)
    this.#list.putBack(last.call)
    this.#state = last.state
    this.#stateNumber = last.stateNumber
    return last.call
  }

  #ask(state: State, call: number): Step<State> {
    this.#questionsCount++
    return this.#model.apply(state, this.#task.calls[call]!)
  }

  #hasPlace(call: number): boolean {
    const bit = this.#bitOf[call]!
    return (this.#bits[bit >> 5]! & (1 << (bit & 31))) !== 0
  }

  #toggle(call: number): void {
    const bit = this.#bitOf[call]!
    this.#bits[bit >> 5]! ^= 1 << (bit & 31)
  }

  #isIndeterminate(call: number): boolean {
    return this.#task.calls[call]!.outcome === 'indeterminate'
  }

  #order(): Call[] {
    return this.#placed.map(({ call }) => this.#task.calls[call]!)
  }
}
