/**
 * Histories of an object that really is atomic: each call takes effect in one moment between its invocation and its return, in an order drawn from
 * a seed, so the history is linearizable by construction. Some calls fail without effect; some answers are lost, before the effect, after it,
 * or long before a late one.
 */
import type { History, HistoryEvent } from '../../testing/history/history.ts'
import type { Json } from '../../testing/history/json.ts'
import type { Random } from '../../testing/world/random.ts'

export interface AtomicObject<State> {
  readonly initial: State
  draw(random: Random): { readonly f: string; readonly value?: Json }
  execute(state: State, f: string, value: Json): { readonly state: State; readonly output: Json }
}

export interface SimulatedOptions {
  readonly calls: number
  readonly processes: number
  readonly keys?: number
  readonly indeterminate?: number
  readonly failed?: number
}

interface Open {
  readonly event: HistoryEvent
  hasEffect: boolean
  output: Json
}

export function simulatedHistory<State>(
  random: Random,
  object: AtomicObject<State>,
  options: SimulatedOptions,
): History {
  return { events: new Simulation(random, object, options).run() }
}

class Simulation<State> {
  readonly #random: Random
  readonly #object: AtomicObject<State>
  readonly #options: SimulatedOptions
  readonly #events: HistoryEvent[] = []
  readonly #states = new Map<string, State>()
  readonly #open = new Map<number, Open>()
  /** Whose answers were lost before they had taken effect: they may still do so. */
  readonly #lost: Open[] = []
  /** A process whose answer was lost gets another number, as under Jepsen. */
  readonly #processes: number[]
  #begun = 0

  constructor(random: Random, object: AtomicObject<State>, options: SimulatedOptions) {
    this.#random = random
    this.#object = object
    this.#options = options
    this.#processes = Array.from({ length: options.processes }, (_, i) => i)
  }

  run(): HistoryEvent[] {
    const { calls, processes } = this.#options
    while (this.#begun < calls || this.#open.size > 0) {
      if (this.#lost.length > 0 && this.#random.chance(0.05)) this.#takeLate()
      const slot = this.#random.below(processes)
      const call = this.#open.get(slot)
      if (call !== undefined) this.#goOn(slot, call)
      else if (this.#begun < calls) this.#invoke(slot)
    }
    return this.#events
  }

  #invoke(slot: number): void {
    const key = `k${this.#random.below(this.#options.keys ?? 1)}`
    const process = this.#processes[slot] as number
    const event = { type: 'invoke' as const, process, key, ...this.#object.draw(this.#random) }
    this.#events.push(event)
    this.#open.set(slot, { event, hasEffect: false, output: null })
    this.#begun++
  }

  #goOn(slot: number, call: Open): void {
    const { indeterminate = 0.1, failed = 0.05 } = this.#options
    if (this.#random.chance(indeterminate / 2)) {
      if (!call.hasEffect) this.#lost.push(call)
      this.#end(slot, call, { type: 'info' })
      this.#processes[slot]! += this.#options.processes
    } else if (call.hasEffect) this.#end(slot, call, { type: 'ok', value: call.output })
    else if (this.#random.chance(failed)) this.#end(slot, call, { type: 'fail' })
    else this.#take(call)
  }

  #end(slot: number, { event }: Open, how: Pick<HistoryEvent, 'type' | 'value'>): void {
    const { process, f, key = '' } = event
    this.#events.push({ process, f, key, ...how })
    this.#open.delete(slot)
  }

  #take(call: Open): void {
    const { key = '', f, value = null } = call.event
    const { state, output } = this.#object.execute(this.#states.get(key) ?? this.#object.initial, f, value)
    this.#states.set(key, state)
    call.hasEffect = true
    call.output = output
  }

  #takeLate(): void {
    const [late] = this.#lost.splice(this.#random.below(this.#lost.length), 1)
    if (late !== undefined) this.#take(late)
  }
}

/** The same history with one answer changed to another one's, or to a small number: often wrong, sometimes still right. */
export function mutated(random: Random, history: History): History {
  const answers = history.events.flatMap((event, i) => (event.type === 'ok' ? [i] : []))
  if (answers.length === 0) return history
  const at = random.pick(answers)
  const from = history.events[random.pick(answers)] as HistoryEvent
  const value = random.chance(0.5) ? (from.value ?? null) : random.below(4)
  return { events: history.events.map((event, i) => (i === at ? { ...event, value } : event)) }
}

const small = (random: Random): number => random.below(4)

export const atomicRegister: AtomicObject<Json> = {
  initial: null,
  draw(random) {
    if (random.chance(0.4)) return { f: 'read' }
    if (random.chance(0.6)) return { f: 'write', value: small(random) }
    return { f: 'cas', value: [small(random), small(random)] }
  },
  execute(state, f, value) {
    if (f === 'read') return { state, output: state }
    if (f === 'write') return { state: value, output: null }
    const [from, to] = value as readonly Json[]
    return state === from ? { state: to ?? null, output: true } : { state, output: false }
  },
}

export const atomicCounter: AtomicObject<number> = {
  initial: 0,
  draw(random) {
    if (random.chance(0.4)) return { f: 'read' }
    return { f: random.chance(0.7) ? 'add' : 'addAndGet', value: random.between(1, 2) }
  },
  execute(state, f, value) {
    if (f === 'read') return { state, output: state }
    const sum = state + Number(value)
    return { state: sum, output: f === 'add' ? null : sum }
  },
}

export const atomicSet: AtomicObject<readonly Json[]> = {
  initial: [],
  draw(random) {
    if (random.chance(0.3)) return { f: 'read' }
    return { f: random.pick(['add', 'add', 'remove', 'has']), value: small(random) }
  },
  execute(state, f, value) {
    if (f === 'read') return { state, output: state }
    if (f === 'has') return { state, output: state.includes(value) }
    const others = state.filter((element) => element !== value)
    return { state: f === 'add' ? [...others, value] : others, output: null }
  },
}

export const atomicQueue: AtomicObject<readonly Json[]> = {
  initial: [],
  draw: (random) => (random.chance(0.5) ? { f: 'enqueue', value: small(random) } : { f: 'dequeue' }),
  execute(state, f, value) {
    if (f === 'enqueue') return { state: [...state, value], output: null }
    return { state: state.slice(1), output: state[0] ?? null }
  },
}

interface Lock {
  readonly holder: number
  readonly last: number
}

export const atomicLock: AtomicObject<Lock> = {
  initial: { holder: 0, last: 0 },
  draw: (random) =>
    random.chance(0.5) ? { f: 'acquire' } : { f: random.pick(['release', 'expire']), value: random.between(1, 4) },
  execute({ holder, last }, f, value) {
    if (f === 'acquire') {
      if (holder !== 0) return { state: { holder, last }, output: null }
      return { state: { holder: last + 1, last: last + 1 }, output: last + 1 }
    }
    return holder === value ? { state: { holder: 0, last }, output: true } : { state: { holder, last }, output: false }
  },
}

export const atomicFencedRegister: AtomicObject<readonly [number, Json]> = {
  initial: [0, null],
  draw: (random) => (random.chance(0.5) ? { f: 'read' } : { f: 'write', value: [random.between(1, 3), small(random)] }),
  execute(state, f, value) {
    if (f === 'read') return { state, output: state[1] }
    const [token, written] = value as readonly [number, Json]
    return token >= state[0] ? { state: [token, written], output: true } : { state, output: false }
  },
}
