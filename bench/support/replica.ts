/**
 * An engine without the public face around it: what it writes can be taken as envelopes and offered
 * to another one, as replication does it, at the times that a bench wants.
 */
import { nodeEnv } from '../../adapters/node/index.ts'
import { Engine } from '../../src/engine.ts'
import type { Slot } from '../../src/keys/key-table.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'

const UNBOUNDED = { entriesMax: Number.POSITIVE_INFINITY, bytesMax: Number.POSITIVE_INFINITY }

export class BenchReplica {
  readonly #engine: Engine
  readonly #clock: { nowMs: number }

  static async open(keys: KeyMap): Promise<BenchReplica> {
    const clock = { nowMs: 1_700_000_000_000 }
    const engine = await Engine.open({
      files: memoryFiles(),
      env: { ...nodeEnv(), now: () => clock.nowMs },
      keyspaces: new Keyspaces(keys),
      cache: UNBOUNDED,
      clockDriftMsMax: 500,
      isReplicated: false,
      observe: () => undefined,
    })
    return new BenchReplica(engine, clock)
  }

  private constructor(engine: Engine, clock: { nowMs: number }) {
    this.#engine = engine
    this.#clock = clock
  }

  get nowMs(): number {
    return this.#clock.nowMs
  }

  set nowMs(nowMs: number) {
    this.#clock.nowMs = nowMs
  }

  /** Writes an operation with this payload, as a verb of the key's strategy would make it. */
  write(key: string, payload: unknown): void {
    const { store } = this.#engine
    store.append({
      key,
      keyspace: store.keyspaceOf(key),
      slot: store.keys.find(key),
      kind: OPERATION_KIND.update,
      payload,
    })
  }

  read(key: string): unknown {
    return this.#engine.store.values.read(this.#slotOf(key))
  }

  /** Forgets what was folded of the key, so that the next read folds its whole log. */
  forgetState(key: string): void {
    this.#engine.store.values.drop(this.#slotOf(key))
  }

  /** What it has written, in order. */
  envelopes(): Uint8Array[] {
    const envelopes: Uint8Array[] = []
    this.#engine.scanOperations(0, ({ bytes, start, end }) => envelopes.push(bytes.slice(start, end)) > 0)
    return envelopes
  }

  /** Takes in an operation of another replica. Throws unless it is new and has all its causes. */
  admit(envelope: Uint8Array): void {
    const verdict = this.#engine.admit(envelope, 0, envelope.length)
    if (verdict !== 'applied') throw new Error(`an operation was not applied but found ${verdict}`)
  }

  close(): Promise<void> {
    return this.#engine.close()
  }

  #slotOf(key: string): Slot {
    const slot = this.#engine.store.keys.find(key)
    if (slot === undefined) throw new Error(`there is no key ${key}`)
    return slot
  }
}
