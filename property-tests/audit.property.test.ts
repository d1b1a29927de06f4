/**
 * Whatever two replicas do, their logs are sound: what `checkLog` finds in them would be a fault of the engine, or of the check. Writes of every
 * kind, exchanges, time passing, checkpoints, compaction of what both have, kills, and states that are taken over as a whole.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { counter, map, register, set } from '../crdt/index.ts'
import { checkLogOn } from '../src/audit/check-log.ts'
import type { Finding } from '../src/audit/finding.ts'
import { Keyspaces } from '../src/keys/keyspace.ts'
import { memoryFiles, type MemoryFiles } from '../src/log/files/memory-files.ts'
import type { KeyMap, Retention } from '../src/keys/typed-keys.ts'
import { exchange, keysRetaining, TestEngine } from '../test/engine/engine-fixture.ts'
import { virtualEnv, type VirtualEnv } from '../testing/world/virtual-env.ts'
import { runs } from './seed.ts'

type Step =
  | {
      readonly do: 'write'
      readonly who: 0 | 1
      readonly key: string
      readonly verb: string
      readonly parameters: readonly unknown[]
    }
  | { readonly do: 'pull' | 'checkpoint' | 'kill' | 'close' | 'install'; readonly who: 0 | 1 }
  | { readonly do: 'compact'; readonly who: 0 | 1 }
  | { readonly do: 'wait'; readonly ms: number }

const WORDS = fc.constantFrom('a', 'b', 'c')
const WHO = fc.constantFrom<(0 | 1)[]>(0, 1)

type Write = readonly [key: string, verb: string, parameters: readonly unknown[]]

const WRITES: fc.Arbitrary<Write> = fc.oneof(
  ...['reg:1', 'reg:2', 'ttl:1', 'mv:1', 'kept:1'].map((key) => WORDS.map((word) => [key, 'set', [word]] as const)),
  ...['count:1', 'sum-ttl:1', 'own:1'].map((key) => fc.nat(9).map((by) => [key, 'increment', [by]] as const)),
  WORDS.map((word) => ['set:1', 'add', [word]] as const),
  WORDS.map((word) => ['set:1', 'remove', [word]] as const),
  WORDS.map((word) => ['text:1', 'insert', [0, word]] as const),
  WORDS.map((word) => ['list:1', 'set', [[word]]] as const),
  WORDS.map((word) => ['map:1', 'update', [word, 'increment', 1]] as const),
  WORDS.map((word) => ['map:1', 'remove', [word]] as const),
  WORDS.map((word) => ['fields:1', 'update', ['tags', 'add', word]] as const),
  WORDS.map((word) => ['fields:1', 'update', ['name', 'set', word]] as const),
  fc.constantFrom('tags', 'name').map((field) => ['fields:1', 'remove', [field]] as const),
  fc
    .constantFrom('reg:1', 'ttl:1', 'count:1', 'set:1', 'mv:1', 'text:1', 'list:1', 'map:1', 'fields:1')
    .map((key) => [key, 'delete', []] as const),
)

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(WHO, WRITES)
      .map(([who, [key, verb, parameters]]): Step => ({ do: 'write', who, key, verb, parameters })),
  },
  { weight: 3, arbitrary: WHO.map((who): Step => ({ do: 'pull', who })) },
  { weight: 1, arbitrary: fc.constantFrom(1, 400, 1500).map((ms): Step => ({ do: 'wait', ms })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        WHO,
        fc.constantFrom(
          'checkpoint' as const,
          'kill' as const,
          'close' as const,
          'compact' as const,
          'install' as const,
        ),
      )
      .map(([who, what]): Step => ({ do: what, who })),
  },
)

const RETENTIONS: Retention[] = ['all', 'latest', { versions: 2 }, { forMs: 500 }]

function keysOf(retain: Retention): KeyMap {
  const fields = map({ tags: set<string>(), name: register<string>() })
  return {
    ...keysRetaining(retain),
    'map:*': { strategy: map(counter()), retain },
    'fields:*': { strategy: fields, retain },
  }
}

class Two {
  readonly #env: VirtualEnv = virtualEnv()
  readonly #keys: KeyMap
  readonly files: [MemoryFiles, MemoryFiles] = [memoryFiles({ persistent: true }), memoryFiles({ persistent: true })]
  readonly #replicas: TestEngine[] = []

  constructor(keys: KeyMap) {
    this.#keys = keys
  }

  async open(who: 0 | 1): Promise<void> {
    this.#replicas[who] = await TestEngine.open({
      env: this.#replicas[who]?.env ?? this.#env.fork({ label: String(who) }),
      files: this.files[who],
      keyspaces: new Keyspaces(this.#keys),
      segmentBytes: 1024,
    })
  }

  async run(step: Step): Promise<void> {
    if (step.do === 'wait') {
      for (const { env } of this.#replicas) await env.advance(step.ms)
      return
    }
    const replica = this.#replicas[step.who] as TestEngine
    const other = this.#replicas[1 - step.who] as TestEngine
    switch (step.do) {
      case 'write':
        await replica.write(step.key, step.verb, step.parameters)
        return
      case 'pull':
        await replica.pull(other)
        return
      case 'checkpoint':
        await replica.engine.checkpoint()
        return
      case 'compact':
        // What both have, and nothing is under way.
        await exchange(replica, other)
        await replica.engine.compact()
        return
      case 'install':
        if (other.engine.applied.dominates(replica.engine.floor)) replica.install(other, 300)
        return
      case 'kill':
      case 'close':
        await this.#reopen(step.who, step.do === 'close')
    }
  }

  async #reopen(who: 0 | 1, isClean: boolean): Promise<void> {
    const replica = this.#replicas[who] as TestEngine
    if (isClean) await replica.close()
    else await replica.engine.log.settled('logged')
    this.files[who] = this.files[who].copy()
    await this.open(who)
  }

  async check(): Promise<Finding[]> {
    for (const { engine } of this.#replicas) await engine.log.settled('logged')
    const found: Finding[] = []
    const logs = this.files.map((files, i) => ({ name: `log ${i}`, open: () => Promise.resolve(files.copy()) }))
    await checkLogOn({ env: this.#env }, { logs, keys: this.#keys, onFinding: (one) => found.push(one) })
    return found
  }
}

test('the logs of two replicas are sound, whatever they did', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...RETENTIONS), fc.array(STEP, { maxLength: 60 }), async (retain, steps) => {
      const two = new Two(keysOf(retain))
      await two.open(0)
      await two.open(1)
      for (const step of steps) await two.run(step)
      expect(await two.check()).toEqual([])
    }),
    runs(150),
  )
})
