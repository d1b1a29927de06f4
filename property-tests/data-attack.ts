/**
 * An attack on the data layer: three machines before a database and an API, everything that its calls
 * can do in any order, and everything that can go wrong with it. `data-attack.property.test.ts` draws
 * what happens; here it is done, and judged:
 *
 * 1. A read that begins once its replica knows of an announcement gives what the source held then, or
 *    something later. What a replica knows is told by a mark that the announcer writes behind the
 *    announcement: operations become visible in causal order.
 * 2. Who has set a key reads nothing older of his own, and at rest the database holds the last write of a
 *    register, and each acknowledged increment of a counter once. All replicas read what it holds.
 * 3. In one process a key is loaded once at a time, but for loads that an invalidation or a write has made
 *    void.
 * 4. Copies stay within their bound; at rest nothing is under way, and after closing no timer is left.
 * 5. Every call settles, with a value or with an error that the documents name.
 */
import { expect } from 'vitest'
import type { PolicyName } from '../src/data-layer/policies/policy.ts'
import { adaptive, type LoadContext } from '../adapters/node/index.ts'
import { counter } from '../crdt/counter.ts'
import { register } from '../crdt/register.ts'
import { shownKind } from '../crdt/shown-kind.ts'
import { isWarpError, type WarpErrorCode } from '../crdt/warp-error.ts'
import { memoryStoreOn, type MemoryStore } from '../src/ports/stores/memory-store.ts'
import { HeldStore } from '../test/data-layer/held-store.ts'
import { Machines, type AnyWarp, type Machine } from '../test/data-layer/machines.ts'

export const NAMES = ['a', 'b', 'c'] as const
/** Of each kind of key. */
export const KEYS = 3

/**
 * `l`: loaded by a function. `g`: by the caller. `o`: of a store into which outsiders write. `w`, `t`: of a
 * store into which Warp writes behind, or through. `c`: a counter in a store.
 */
export type Kind = 'l' | 'g' | 'o' | 'w' | 't' | 'c'
const SOURCED: readonly Kind[] = ['l', 'g', 'o']

export interface Config {
  /** What the steps are about: one that is loaded, and one that is written. */
  readonly kinds: readonly [loaded: Kind, written: Kind]
  readonly keysCount: number
  readonly ttl: 'none' | 'absolute' | 'sliding' | 'adaptive'
  readonly jitterMs: number
  readonly staleMs: number
  readonly softTimeoutMs: number
  readonly refreshAhead: number
  readonly negativeTtlMs: number
  readonly loads: 'replica' | 'cluster'
  readonly policy: PolicyName
  readonly entriesMax: number
  readonly delayMs: number
  /** With logs in memory a process that is killed loses what nobody else has. */
  readonly inMemory: boolean
}

export type How = 'key' | 'pattern' | 'tag' | 'hard' | 'clear' | 'set' | 'lease'

export type Step =
  | { readonly do: 'read' | 'getOrSet'; readonly by: number; readonly kind: Kind; readonly key: number }
  | { readonly do: 'readMany' | 'getOrSetMany'; readonly by: number; readonly kind: Kind }
  | { readonly do: 'announce'; readonly by: number; readonly kind: Kind; readonly key: number; readonly how: How }
  | { readonly do: 'write' | 'delete'; readonly by: number; readonly kind: 'w' | 't' | 'c'; readonly key: number }
  | { readonly do: 'forget' | 'compact' | 'kill' | 'restart' | 'pause' | 'cut'; readonly by: number }
  | { readonly do: 'grant' | 'renew'; readonly by: number; readonly kind: Kind; readonly key: number }
  | { readonly do: 'warm'; readonly by: number; readonly from: 'store' | 'peers'; readonly kind: Kind }
  | { readonly do: 'validate'; readonly by: number; readonly mode: 'noop' | 'heal' }
  | { readonly do: 'network'; readonly loss: number; readonly delayMs: number }
  | { readonly do: 'store'; readonly failure: number; readonly lostReply: number; readonly latencyMs: number }
  | { readonly do: 'source'; readonly how: 'well' | 'slow' | 'fails' | 'hangs' | 'none' }
  | { readonly do: 'stall' | 'resume' | 'heal' }
  | { readonly do: 'outsider'; readonly key: number }
  | { readonly do: 'execute' | 'reply' | 'loseReply'; readonly which: number }
  | { readonly do: 'advance'; readonly ms: number }

/** The steps of that name. */
type StepOf<Do extends Step['do']> = Step extends infer One
  ? One extends { readonly do: infer Some }
    ? Do extends Some
      ? One
      : never
    : never
  : never

const HARD_MS = 1500
const STORE_MS = 400
/** At rest a call is answered by then. */
const CALL_MS_MAX = 30_000
/** What calls may be refused with. */
const EXPECTED: readonly WarpErrorCode[] = [
  'WARP_E_ABORTED',
  'WARP_E_CLOSED',
  'WARP_E_LEASE',
  'WARP_E_LOAD',
  'WARP_E_LOAD_TIMEOUT',
  'WARP_E_STORE',
]

interface Announcement {
  readonly by: number
  readonly mark: number
  readonly key: string
  readonly version: number
}

/** A write of a register or an increment. */
interface Written {
  readonly number: number
  readonly by: number
  readonly life: number
  outcome: 'open' | 'sure' | 'perhaps' | 'failed'
}

export class Attack {
  readonly machines: Machines
  readonly store: MemoryStore
  /** What lies before it, where each request and each answer waits for its step. */
  readonly #held: HeldStore | undefined
  readonly #config: Config
  readonly #versions = new Map<string, number>()
  readonly #announced: Announcement[] = []
  readonly #marks = NAMES.map(() => 0)
  readonly #written = new Map<string, Written[]>()
  readonly #deleted = new Set<string>()
  readonly #leases: { readonly id: string; readonly key: string }[] = []
  #number = 0
  #hasKilled = false
  #source: StepOf<'source'>['how'] = 'well'
  readonly #hanging: (() => void)[] = []
  /** Loads under way by process and key, and how often a key was spoken of. */
  readonly #loading = new Map<string, { readonly saidCount: number; readonly signal: AbortSignal }[]>()
  readonly #said = new Map<string, number>()
  /** Calls that have not settled, by process. */
  readonly #open = new Map<Promise<unknown>, string>()
  readonly #wrong: string[] = []

  constructor(config: Config, seed: number, { isHeld = false }: { readonly isHeld?: boolean } = {}) {
    this.#config = config
    this.machines = new Machines({ seed, delayMs: config.delayMs })
    const { line } = this.machines
    this.store = memoryStoreOn(
      {
        monotonic: () => line.nowMs,
        schedule: (ms, callback) => line.schedule(ms, callback),
        defer: (callback) => line.defer(callback),
      },
      { seed },
    )
    this.#held = isHeld ? new HeldStore(this.store) : undefined
  }

  async open(): Promise<void> {
    for (const name of NAMES)
      this.machines.add(name, {
        inMemory: this.#config.inMemory,
        open: (machine) => this.#options(machine),
      })
    for (const kind of SOURCED) for (let key = 0; key < KEYS; key++) this.#change(`${kind}:${key}`)
    for (const machine of this.machines.all) void machine.start()
    await this.machines.advance(5000)
  }

  async do(step: Step): Promise<void> {
    if (step.do === 'advance') await this.machines.advance(step.ms)
    else {
      this.#act(step)
      await this.machines.advance(0)
    }
    for (const { name, warp } of this.machines.all) {
      const count = warp?.stats().copies?.copiesCount ?? 0
      if (count > this.#config.entriesMax) this.#wrong.push(`${name} holds ${count} copies`)
    }
  }

  // -- at rest ---------------------------------------------------------------------------------------

  async end(): Promise<void> {
    const { machines } = this
    this.#heal()
    await machines.advance(120_000)
    expect([...this.#open.values()], 'calls that have not settled').toEqual([])
    for (const kind of [...SOURCED, 'w', 't', 'c'] as const)
      for (let key = 0; key < KEYS; key++) await this.#judge(`${kind}:${key}`)
    for (const { name, warp } of machines.all) {
      const { copies, stores } = (warp as AnyWarp).stats()
      expect([name, copies?.loadingCount, stores?.[0]?.unstoredKeysCount]).toEqual([name, 0, 0])
    }
    expect(this.#wrong).toEqual([])
    await machines.close()
    await machines.advance(60_000)
    // Timers of a process that was killed stand on the time line until they are due, and call nobody.
    if (!this.#hasKilled) expect(machines.line.timerCount, 'timers that are left').toBe(0)
  }

  /** From now on nothing goes wrong. */
  #heal(): void {
    const { machines, store } = this
    this.#held?.letGo()
    store.resume()
    store.set({ failure: 0, lostReply: 0, latencyMs: 1 })
    this.#comesFrom('well')
    this.#links({ loss: 0, delayMs: 1 })
    machines.network.heal()
    for (const machine of machines.all) {
      machine.resume()
      if (machine.warp === undefined) void machine.start()
    }
  }

  #links(settings: { readonly loss: number; readonly delayMs: number }): void {
    for (const [i, name] of NAMES.entries())
      for (const other of NAMES.slice(i + 1)) this.machines.network.link(name, other).set(settings)
  }

  #comesFrom(source: StepOf<'source'>['how']): void {
    this.#source = source
    if (source !== 'hangs') for (const answer of this.#hanging.splice(0)) answer()
  }

  async #judge(key: string): Promise<void> {
    const kind = key[0] as Kind
    const held = kind === 'l' || kind === 'g' ? this.#versions.get(key) : this.#row(key)
    for (const { name, warp } of this.machines.all) {
      const reading = kind === 'g' ? warp!.getOrSet(key, () => this.#versions.get(key)) : warp!.get(key)
      const value = await this.#settled(reading, `${name} reads ${key}`)
      if (SOURCED.includes(kind))
        expect(value, `${name} reads ${key}`).toBeGreaterThanOrEqual(this.#known(NAMES.indexOf(name as 'a'), key))
      else expect(value, `${name} reads ${key}`).toEqual(held)
    }
    if (!SOURCED.includes(kind)) this.#judgeWritten(key, held)
  }

  /** What a call comes to, in virtual time. */
  async #settled(call: Promise<unknown>, what: string): Promise<unknown> {
    let isSettled = false
    const noted = call.finally(() => (isSettled = true))
    noted.catch(() => undefined)
    for (let ms = 0; !isSettled; ms += 300) {
      if (ms > CALL_MS_MAX) throw new Error(`${what}, and it does not settle`)
      await this.machines.advance(300)
    }
    return noted
  }

  #judgeWritten(key: string, held: unknown): void {
    const written = this.#written.get(key) ?? []
    if (this.#deleted.has(key)) return
    const sure = written.filter(({ outcome }) => outcome === 'sure')
    const perhaps = written.filter(({ outcome }) => outcome !== 'sure' && outcome !== 'failed')
    if (key.startsWith('c')) {
      const rest = ((held ?? 0) as number) - sumOf(sure)
      expect(
        sums(perhaps),
        `${key} is ${shownKind(held)}: ${sumOf(sure)} and some of ${perhaps.map(({ number }) => number).join()}`,
      ).toContain(rest)
      return
    }
    if (held === undefined) expect(sure, `${key} is lost`).toEqual([])
    else
      expect(
        [...sure, ...perhaps].map(({ number }) => number),
        `${key} is ${shownKind(held)}`,
      ).toContain(held)
    // Where one replica has written all, its last one counts, or one that came behind it and of which nobody knows.
    const [first] = written
    if (first === undefined || written.some(({ by }) => by !== first.by)) return
    const last = sure.at(-1)
    if (last !== undefined) expect(held, key).toBeGreaterThanOrEqual(last.number)
  }

  #row(key: string): unknown {
    const value = this.store.row(key)?.value
    return value === undefined ? undefined : (JSON.parse(new TextDecoder().decode(value)) as unknown)
  }

  // -- what happens ----------------------------------------------------------------------------------

  /** What each step does. */
  readonly #does: { readonly [Do in Step['do']]: (step: StepOf<Do>) => void } = {
    network: ({ loss, delayMs }) => this.#links({ loss, delayMs }),
    store: ({ failure, lostReply, latencyMs }) =>
      this.store.set({ failure, lostReply, latencyMs, jitterMs: latencyMs }),
    source: ({ how }) => this.#comesFrom(how),
    stall: () => this.store.stall(),
    resume: () => this.store.resume(),
    heal: () => this.machines.network.heal(),
    outsider: ({ key }) => void this.#change(`o:${key}`),
    execute: ({ which }) => this.#held?.execute(which),
    reply: ({ which }) => this.#held?.reply(which),
    loseReply: ({ which }) => this.#held?.loseReply(which),
    kill: ({ by }) => this.#kill(this.#machine(by)),
    pause: ({ by }) => this.#machine(by).pause(),
    cut: ({ by }) => this.machines.isolate(this.#machine(by)),
    restart: ({ by }) => {
      const machine = this.#machine(by)
      machine.resume()
      if (!machine.isAlive) void machine.start()
    },
    read: ({ by, kind, key }) =>
      this.#at(by, (machine, warp) => this.#read(machine, by, `${kind}:${key}`, (one) => warp.get(one))),
    getOrSet: ({ by, kind, key }) =>
      this.#at(by, (machine, warp) => {
        if (kind !== 'c' && kind !== 'o') this.#getOrSet(machine, by, `${kind}:${key}`, warp)
      }),
    readMany: ({ by, kind }) => this.#at(by, (machine, warp) => this.#many('readMany', kind, by, { machine, warp })),
    getOrSetMany: ({ by, kind }) =>
      this.#at(by, (machine, warp) => this.#many('getOrSetMany', kind, by, { machine, warp })),
    announce: (step) =>
      this.#at(step.by, (machine, warp) => {
        if (SOURCED.includes(step.kind)) this.#announce(step, machine, warp)
      }),
    write: ({ by, kind, key }) => this.#at(by, (machine, warp) => this.#write(by, `${kind}:${key}`, { machine, warp })),
    delete: ({ by, kind, key }) =>
      this.#at(by, (machine, warp) => {
        this.#deleted.add(`${kind}:${key}`)
        this.#follow(machine, warp.delete(`${kind}:${key}`))
      }),
    forget: ({ by }) =>
      this.#at(by, (_machine, warp) => {
        this.#say('*')
        warp.invalidateLocal('*')
      }),
    compact: ({ by }) => this.#at(by, (machine, warp) => this.#follow(machine, warp.compact())),
    grant: (step) => this.#at(step.by, (machine, warp) => this.#follow(machine, this.#grant(step, warp))),
    renew: ({ by }) =>
      this.#at(by, (machine, warp) => {
        for (const { id } of this.#leases) this.#follow(machine, warp.leases.renew(id))
      }),
    warm: ({ by, from, kind }) =>
      this.#at(by, (machine, warp) => {
        const pattern = from === 'store' && !['o', 'w', 't', 'c'].includes(kind) ? 'o:*' : `${kind}:*`
        this.#follow(machine, warp.warm(pattern, { from, concurrency: 2 }))
      }),
    validate: ({ by, mode }) =>
      this.#at(by, (machine, warp) => this.#follow(machine, drained(warp.validate('*', { mode })))),
    advance: () => undefined,
  }

  #act(step: Step): void {
    const does = this.#does[step.do] as (step: Step) => void
    does(step)
  }

  #machine(by: number): Machine {
    return this.machines.all[by] as Machine
  }

  /** Makes a call where a process runs. */
  #at(by: number, call: (machine: Machine, warp: AnyWarp) => void): void {
    const machine = this.#machine(by)
    if (machine.warp !== undefined) call(machine, machine.warp)
  }

  #kill(machine: Machine): void {
    if (this.#config.inMemory) return
    const process = processOf(machine)
    this.#hasKilled = true
    machine.kill()
    for (const [call, of] of this.#open) if (of === process) this.#open.delete(call)
  }

  async #grant({ kind, key: n }: StepOf<'grant'>, warp: AnyWarp): Promise<void> {
    const key = `${SOURCED.includes(kind) ? kind : 'l'}:${n}`
    const { id } = await warp.leases.grant({ ttlMs: 3_600_000 })
    await warp.leases.attach(id, key)
    this.#leases.push({ id, key })
  }

  #read(machine: Machine, by: number, key: string, read: (key: string) => Promise<unknown>): void {
    const judge = this.#judgeOf(machine, by, key)
    this.#follow(machine, read(key).then(judge))
  }

  /** Judges what a read that begins now will give. */
  #judgeOf(machine: Machine, by: number, key: string): (value: unknown) => void {
    const kind = key[0] as Kind
    const life = machine.livesCount
    if (SOURCED.includes(kind)) {
      const least = this.#known(by, key)
      return (value) => {
        if (value !== undefined && !((value as number) >= least))
          this.#wrong.push(`${machine.name} reads ${shownKind(value)} of ${key}, and knew of ${least}`)
      }
    }
    if (kind === 'c') return () => undefined
    const own = (this.#written.get(key) ?? []).filter(
      (one) => one.by === by && one.life === life && one.outcome === 'sure',
    )
    const last = own.at(-1)
    const others = new Set((this.#written.get(key) ?? []).map(({ number }) => number))
    return (value) => {
      if (value === undefined || last === undefined) return
      const isOwn = own.some(({ number }) => number === value)
      if (isOwn && value !== last.number)
        this.#wrong.push(`${machine.name} reads ${shownKind(value)} of ${key}, and has written ${last.number}`)
      if (!others.has(value as number) && !this.#written.get(key)!.some(({ number }) => number === value))
        this.#wrong.push(`${machine.name} reads ${shownKind(value)} of ${key}, which nobody has written`)
    }
  }

  #getOrSet(machine: Machine, by: number, key: string, warp: AnyWarp): void {
    const kind = key[0] as Kind
    if (SOURCED.includes(kind)) {
      this.#read(machine, by, key, () => warp.getOrSet(key, (_, context) => this.#load(machine, key, context)))
      return
    }
    const made: Written[] = []
    const make = (): number => {
      const one = this.#note(by, key, machine)
      one.outcome = 'perhaps'
      made.push(one)
      return one.number
    }
    this.#read(machine, by, key, () => warp.getOrSet(key, make))
  }

  #many(
    what: 'readMany' | 'getOrSetMany',
    kind: Kind,
    by: number,
    { machine, warp }: { readonly machine: Machine; readonly warp: AnyWarp },
  ): void {
    const keys = Array.from({ length: KEYS }, (_, key) => `${kind}:${key}`)
    const judges = new Map(keys.map((key) => [key, this.#judgeOf(machine, by, key)]))
    const many =
      what === 'getOrSetMany' && kind === 'g'
        ? warp.getOrSetMany(keys, (missing) => missing.map((key) => [key, this.#versions.get(key)] as const))
        : warp.getMany(keys)
    this.#follow(
      machine,
      many.then((values) => keys.forEach((key) => judges.get(key)!(values.get(key)))),
    )
  }

  /** Somebody has changed the source; then a replica says so. */
  #announce({ by, kind, key: n, how }: StepOf<'announce'>, machine: Machine, warp: AnyWarp): void {
    const key = `${kind}:${n}`
    const lease = this.#leases.find((one) => one.key === key)
    if (how === 'lease' && lease === undefined) return
    const version = this.#change(key)
    const said = (): Promise<unknown> => {
      switch (how) {
        case 'key':
          return warp.invalidate(key)
        case 'pattern':
          return warp.invalidate(`${kind}:*`)
        case 'tag':
          return warp.invalidateTag(`tag ${key}`)
        case 'hard':
          return warp.invalidate(key, { hard: true })
        case 'clear':
          return warp.clear(key)
        case 'set':
          // Of a row the outsider is the writer.
          return kind === 'o' ? warp.invalidate(key) : warp.set(key, version)
        case 'lease':
          return warp.leases.revoke(lease!.id)
      }
    }
    this.#say(how === 'pattern' ? `${kind}:*` : key)
    const mark = ++this.#marks[by]!
    const saying = said()
    const marking = warp.set(`own:${by}`, mark)
    this.#follow(
      machine,
      Promise.all([saying, marking]).then(() => {
        this.#announced.push({ by, mark, key, version })
      }),
    )
  }

  #change(key: string): number {
    const version = (this.#versions.get(key) ?? 0) + 1
    this.#versions.set(key, version)
    if (key.startsWith('o')) this.store.put(key, new TextEncoder().encode(String(version)))
    return version
  }

  /** The newest version that a replica has been told of. */
  #known(by: number, key: string): number {
    let version = 0
    for (const announced of this.#announced) {
      if (announced.key !== key || announced.version <= version) continue
      const mark = this.machines.all[by]?.warp?.peek(`own:${announced.by}`) as number | undefined
      if ((mark ?? 0) >= announced.mark) version = announced.version
    }
    return version
  }

  #write(by: number, key: string, { machine, warp }: { readonly machine: Machine; readonly warp: AnyWarp }): void {
    const one = this.#note(by, key, machine)
    this.#say(key)
    const handle = warp.key(key) as unknown as { increment(by: number): Promise<unknown> }
    const writing = key.startsWith('c') ? handle.increment(one.number) : warp.set(key, one.number)
    const settling = writing.then(
      () => void (one.outcome = 'sure'),
      (error: unknown) => {
        one.outcome = (error as { readonly outcome?: string }).outcome === 'failed' ? 'failed' : 'perhaps'
        throw error
      },
    )
    this.#follow(machine, settling)
  }

  #note(by: number, key: string, machine: Machine): Written {
    const one: Written = { number: ++this.#number, by, life: machine.livesCount, outcome: 'open' }
    const of = this.#written.get(key) ?? []
    this.#written.set(key, of)
    of.push(one)
    return one
  }

  #follow(machine: Machine, call: Promise<unknown>): void {
    this.#open.set(call, processOf(machine))
    call
      .catch((error: unknown) => {
        if (!EXPECTED.some((code) => isWarpError(error, code))) this.#wrong.push(`${machine.name}: ${String(error)}`)
      })
      .finally(() => this.#open.delete(call))
      .catch(() => undefined)
  }

  // -- the source ------------------------------------------------------------------------------------

  /** Something is said of a key, or of all that begin like that: what is being loaded may be void. */
  #say(about: string): void {
    const prefix = about.endsWith('*') ? about.slice(0, -1) : about
    for (const kind of ['l', 'g'])
      for (let key = 0; key < KEYS; key++) {
        const one = `${kind}:${key}`
        if (one.startsWith(prefix)) this.#said.set(one, (this.#said.get(one) ?? 0) + 1)
      }
  }

  async #load(
    machine: Machine,
    key: string,
    { signal, stale, notModified, tags, ttlMs }: LoadContext,
  ): Promise<unknown> {
    const place = `${processOf(machine)} ${key}`
    const saidCount = this.#said.get(key) ?? 0
    const underWay = (this.#loading.get(place) ?? []).filter((one) => !one.signal.aborted)
    // Each that was ever said may have made one of them void: nobody knows here when it has arrived there.
    if (underWay.length > saidCount) this.#wrong.push(`${place} is loaded ${underWay.length + 1} times at once`)
    const own = { saidCount, signal }
    this.#loading.set(place, [...underWay, own])
    try {
      const version = this.#versions.get(key)
      if ((await this.#answers()) === undefined) return undefined
      if (version === 2) ttlMs(50)
      if (version === 3) tags(`more ${key}`)
      return stale === version ? notModified() : version
    } finally {
      this.#loading.set(
        place,
        (this.#loading.get(place) ?? []).filter((one) => one !== own),
      )
    }
  }

  /** The source answers, in its time; `undefined`: that it has nothing. */
  async #answers(): Promise<true | undefined> {
    const how = this.#source
    if (how === 'fails') throw new Error('the source fails')
    if (how === 'slow') await this.#pause(200)
    if (how === 'hangs') await new Promise<void>((resolve) => this.#hanging.push(resolve))
    return how === 'none' ? undefined : true
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.machines.line.schedule(ms, resolve))
  }

  #options(machine: Machine): ReturnType<NonNullable<Parameters<Machines['add']>[1]['open']>> {
    const { ttl, jitterMs, staleMs, softTimeoutMs, refreshAhead, negativeTtlMs, loads, policy, entriesMax } =
      this.#config
    const life = {
      none: {},
      absolute: { ttlMs: 400, jitterMs },
      sliding: { ttl: 'sliding' as const, ttlMs: 400 },
      adaptive: { ttl: adaptive({ minMs: 100, maxMs: 3000 }) },
    }[ttl]
    const copying = {
      ...life,
      ...{ staleMs, softTimeoutMs, hardTimeoutMs: HARD_MS, throttleMs: 100, negativeTtlMs },
      tags: (key: string) => [`tag ${key}`],
    }
    const storing = { store: this.#held ?? this.store, storeTimeoutMs: STORE_MS, flushDelayMs: 30, loads }
    const ahead = ttl === 'none' ? {} : { refreshAhead }
    return {
      keys: {
        'l:*': {
          ...copying,
          ...ahead,
          strategy: register(),
          loads,
          load: (key: string, context: LoadContext) => this.#load(machine, key, context),
        },
        'g:*': { ...copying, strategy: register(), load: 'caller', loads },
        'o:*': { ...copying, ...ahead, ...storing, strategy: register() },
        'w:*': { ...copying, ...ahead, ...storing, strategy: register() },
        't:*': { ...copying, ...storing, strategy: register(), writes: 'through' },
        'c:*': { ...copying, ...storing, strategy: counter() },
        'own:*': { strategy: register(), retain: 'latest' },
      },
      copies: { entriesMax, policy },
    } as never
  }
}

function processOf({ name, livesCount }: Machine): string {
  return `${name}/${livesCount}`
}

async function drained(all: AsyncIterable<unknown>): Promise<void> {
  for await (const one of all) void one
}

function sumOf(written: readonly Written[]): number {
  return written.reduce((sum, { number }) => sum + number, 0)
}

/** What some of them may amount to. */
function sums(written: readonly Written[]): number[] {
  return written.reduce<number[]>((all, { number }) => [...new Set(all.flatMap((sum) => [sum, sum + number]))], [0])
}
