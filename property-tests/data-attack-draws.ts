/** What an attack on the data layer draws: see `data-attack.ts`. */
import fc from 'fast-check'
import { KEYS, NAMES, type Config, type How, type Kind, type Step } from './data-attack.ts'

const by = fc.nat(NAMES.length - 1)
const key = fc.nat(KEYS - 1)
const kind = fc.constantFrom<Kind>('l', 'g', 'o', 'w', 't', 'c')
const how = fc.constantFrom<How>('key', 'pattern', 'tag', 'hard', 'clear', 'set', 'lease')

function of<Do extends Step['do'], Fields extends object>(
  weight: number,
  kinds: readonly Do[],
  fields: { [Field in keyof Fields]: fc.Arbitrary<Fields[Field]> },
): fc.WeightedArbitrary<{ readonly do: Do } & Fields> {
  const arbitrary = fc.record({ do: fc.constantFrom(...kinds), ...fields }) as never
  return { weight, arbitrary }
}

const step = fc.oneof(
  of(14, ['read', 'read', 'getOrSet'], { by, kind, key }),
  of(2, ['readMany', 'getOrSetMany'], { by, kind }),
  of(6, ['announce'], { by, kind: fc.constantFrom<Kind>('l', 'g', 'o'), key, how }),
  of(6, ['write', 'write', 'write', 'delete'], { by, kind: fc.constantFrom<Kind>('w', 't', 'c'), key }),
  of(2, ['forget', 'compact'], { by }),
  of(2, ['kill', 'restart', 'pause', 'cut', 'restart'], { by }),
  of(1, ['grant', 'renew'], { by, kind, key }),
  of(2, ['warm'], { by, from: fc.constantFrom('store', 'peers'), kind }),
  of(1, ['validate'], { by, mode: fc.constantFrom('noop', 'heal') }),
  of(1, ['network'], { loss: fc.constantFrom(0, 0.2), delayMs: fc.constantFrom(1, 50, 400) }),
  of(1, ['store'], {
    failure: fc.constantFrom(0, 0.3, 1),
    lostReply: fc.constantFrom(0, 0.3),
    latencyMs: fc.constantFrom(0, 5, 200),
  }),
  of(2, ['source'], { how: fc.constantFrom('well', 'slow', 'slow', 'slow', 'fails', 'hangs', 'none') }),
  of(2, ['stall', 'resume', 'heal', 'resume', 'heal'], {}),
  of(8, ['advance'], { ms: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 3000 })) }),
) as fc.Arbitrary<Step>

export const config: fc.Arbitrary<Config> = fc.record({
  kinds: fc.tuple(fc.constantFrom<Kind>('l', 'l', 'g', 'o'), fc.constantFrom<Kind>('w', 't', 'c')),
  keysCount: fc.integer({ min: 1, max: 2 }),
  ttl: fc.constantFrom('none', 'absolute', 'sliding', 'adaptive'),
  jitterMs: fc.constantFrom(0, 200),
  staleMs: fc.constantFrom(0, 60_000),
  softTimeoutMs: fc.constantFrom(20, 1000),
  refreshAhead: fc.constantFrom(0.2, 0.8, 1),
  negativeTtlMs: fc.constantFrom(0, 500),
  loads: fc.constantFrom('replica', 'cluster'),
  policy: fc.constantFrom('sieve', 'adaptive', 'w-tinylfu', 'lru'),
  entriesMax: fc.constantFrom(2, 7, 100),
  delayMs: fc.constantFrom(1, 30),
  inMemory: fc.boolean(),
})

export const steps: fc.Arbitrary<Step[]> = fc.array(step, { minLength: 5, maxLength: 60, size: 'max' })

/** Swarm testing (Groce et al. 2012): a run that is about few keys meets on them. */
export function focused({ kinds, keysCount }: Config, drawn: readonly Step[]): Step[] {
  return drawn.map((step) => {
    if (!('kind' in step)) return step
    const kind = ['l', 'g', 'o'].includes(step.kind) ? kinds[0] : kinds[1]
    return { ...step, kind, ...('key' in step ? { key: step.key % keysCount } : {}) } as Step
  })
}
