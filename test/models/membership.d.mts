/** What the drivers of the model use of it. */
export interface ModelMember {
  sealed: unknown
  end: number | null
}

export interface ModelState {
  id: string
  known: Map<string, ModelMember>
}

export interface ModelMachine {
  n: number
  up: boolean
  gone: boolean
  volatile: boolean
  group: number
  S: ModelState
}

export interface ModelFrame {
  from: number
  to: number
  frame: unknown
}

export declare class World {
  constructor(random: () => number, log?: (line: string) => void)
  machines: ModelMachine[]
  net: ModelFrame[]
  /** Acknowledged writes, by name. */
  acked: Map<string, { readonly ghostSeen?: ReadonlySet<string> }>
  reported: Set<string>
  profile: number
  add(): ModelMachine
  sync(machine: ModelMachine): void
  beat(machine: ModelMachine): void
  receive(to: ModelMachine, frame: ModelFrame): void
  data(machine: ModelMachine, kind: 'inc' | 'del'): void
  /** One of a list: replaced while the key of a write is not to be drawn. */
  pick?: () => string
  evict(machine: ModelMachine, id: string): void
  leave(machine: ModelMachine): void
  lose(machine: ModelMachine): void
  powerFails(machine: ModelMachine): void
  rest(rounds: number): void
  check(up: readonly ModelMachine[]): void
}

export declare function mulberry(seed: number): () => number
export declare function compact(state: ModelState): void
/** By the names of the writes, how often each counts. */
export declare function valueOf(state: ModelState, key: string): Map<string, number>
export declare function living(state: ModelState): [id: string, member: ModelMember][]
