/** An engine without the public face around it, for tests that play disk, peer and clock against it. */
import { counter, custom, multiValue, register, set, text } from '../../crdt/index.ts'
import { Engine, type EngineOptions } from '../../src/engine.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { SEGMENT_HEADER_BYTES, segmentOf } from '../../src/log/segments/segment-format.ts'
import { segmentName } from '../../src/log/segments/segment.ts'
import type { Position } from '../../src/operation/position.ts'
import type { LogFiles } from '../../src/ports/files.ts'
import { History } from '../../src/history/history.ts'
import type { WarpEvent } from '../../src/api/public.ts'
import type { Receipt, WriteOptions } from '../../src/store/write-road/receipt.ts'
import type { Admission } from '../../src/store/border.ts'
import type { Retention } from '../../src/keys/typed-keys.ts'
import { Writer } from '../../src/store/write-road/writer.ts'
import type { FaultyFiles } from '../../testing/world/faulty-files.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'

export function keysRetaining(retain: Retention) {
  return {
    'reg:*': { strategy: register<unknown>(), retain },
    'ttl:*': { strategy: register<unknown>(), retain, ttlMs: 1000 },
    'count:*': { strategy: counter(), retain },
    'sum-ttl:*': { strategy: counter(), retain, ttlMs: 1000 },
    'set:*': { strategy: set<string>(), retain },
    'mv:*': { strategy: multiValue<string>(), retain },
    'text:*': { strategy: text(), retain },
    'list:*': { strategy: custom<string[]>((old, next) => [...old, ...next]), retain },
    'own:*': { strategy: counter(), retain, mode: 'local' as const },
    'kept:*': { strategy: register<unknown>(), retain: 'all' as const },
  }
}

/** Takes away what stands in the log from a position on. */
export function cutLog(files: MemoryFiles, end: Position): void {
  const last = segmentName(segmentOf(end))
  for (const name of files.list().filter((one) => one.startsWith('segment-') && one >= last))
    files.bytes(name).fill(0, name === last ? end >>> 0 : SEGMENT_HEADER_BYTES)
}

export interface FixtureOptions extends Partial<EngineOptions> {
  readonly retain?: Retention
  readonly env?: VirtualEnv
  readonly files?: LogFiles
}

export class TestEngine {
  readonly engine: Engine
  readonly env: VirtualEnv
  readonly events: WarpEvent[]
  readonly history: History
  readonly #writer: Writer

  private constructor(engine: Engine, env: VirtualEnv, events: WarpEvent[]) {
    this.engine = engine
    this.env = env
    this.events = events
    this.history = new History(engine.store)
    this.#writer = new Writer(engine.store, undefined)
  }

  static async open(options: FixtureOptions = {}): Promise<TestEngine> {
    const { retain = 'latest', env = virtualEnv(), files = memoryFiles(), ...rest } = options
    const events: WarpEvent[] = []
    const engine = await Engine.open({
      files,
      env,
      keyspaces: new Keyspaces(keysRetaining(retain)),
      cache: { entriesMax: Infinity, bytesMax: Infinity },
      clockDriftMsMax: 500,
      isReplicated: false,
      observe: (event) => events.push(event),
      ...rest,
    })
    return new TestEngine(engine, env, events)
  }

  /** Runs a verb of the key's strategy, or `delete`. Written when the call returns; the promise is the acknowledgement. */
  write(key: string, verb: string, parameters: readonly unknown[] = [], options: WriteOptions = {}): Promise<Receipt> {
    const { store } = this.engine
    const keyspace = store.keyspaceOf(key)
    const target = { key, keyspace, slot: store.keys.find(key) }
    if (verb === 'delete') return this.#writer.delete(target, options)
    const prepared = keyspace.strategy.verbs[verb]
    if (prepared === undefined) throw new Error(`${keyspace.strategy.kind} has no verb ${verb}`)
    return this.#writer.verb(target, prepared, parameters, options)
  }

  set(key: string, value: unknown): Promise<Receipt> {
    return this.write(key, 'set', [value])
  }

  get(key: string): unknown {
    const slot = this.engine.store.keys.find(key)
    return slot === undefined ? undefined : this.engine.store.values.read(slot)
  }

  version(key: string): number {
    const slot = this.engine.store.keys.find(key)
    return slot === undefined ? 0 : (this.engine.store.keys.version[slot] ?? 0)
  }

  /** All that can be read: values and vectors. */
  state(): { readonly values: Record<string, unknown>; readonly applied: unknown } {
    const { store } = this.engine
    const values: Record<string, unknown> = {}
    for (const slot of store.keys.occupied()) {
      const value = store.values.read(slot)
      if (value !== undefined) values[store.keys.keys[slot] as string] = [value, store.keys.version[slot]]
    }
    return { values: Object.fromEntries(Object.entries(values).sort()), applied: this.engine.applied.sorted() }
  }

  envelopes(): Uint8Array[] {
    const envelopes: Uint8Array[] = []
    this.engine.scanOperations(0, ({ bytes, start, end }) => {
      envelopes.push(bytes.slice(start, end))
      return true
    })
    return envelopes
  }

  admit(envelope: Uint8Array): Admission {
    return this.engine.admit(envelope, 0, envelope.length)
  }

  /** Takes over what the other has and this one lacks, until nothing more goes in. */
  async pull(other: TestEngine): Promise<Admission[]> {
    const verdicts: Admission[] = []
    await other.engine.outlet.settled()
    let waiting = other.envelopes()
    for (let before = waiting.length + 1; waiting.length < before;) {
      before = waiting.length
      waiting = waiting.filter((envelope) => {
        const verdict = this.admit(envelope)
        verdicts.push(verdict)
        return verdict === 'early'
      })
    }
    return verdicts
  }

  /** Replaces this one's state by the other's. */
  install(other: TestEngine, chunkBytes = 1000): void {
    const source = other.engine.exportSnapshot(chunkBytes)
    const target = this.engine.beginSnapshot(source.vector)
    for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) target.chunk(chunk)
    target.finish()
  }

  close(): Promise<void> {
    return this.engine.close()
  }
}

/** Both have everything that either had. */
export async function exchange(a: TestEngine, b: TestEngine): Promise<void> {
  await a.pull(b)
  await b.pull(a)
}

/** What the files take up: with no more space than this, a disk is full. */
export function usedBytes(files: FaultyFiles): number {
  return files.list().reduce((sum, name) => sum + files.bytes(name).length, 0)
}
