/** Keyspaces with a store: what is explored, and which rules are left out to see whether that is found. */
import fc from 'fast-check'
import { explorerOf } from '../explorer.ts'
import { DIRECTED } from './directed.ts'
import { KINDS } from './folding.ts'
import { settle } from './rest.ts'
import { LOSES_LOGS, PROFILES, step } from './steps.ts'
import { type Config, World } from './world.ts'

const SKEWS = [0, 0, 250, -250, 500, -500, 3_600_000]

export const configs: fc.Arbitrary<Config> = fc.record({
  kind: fc.constantFrom(...KINDS),
  replicas: fc.integer({ min: 2, max: 4 }),
  outsiders: fc.boolean(),
  volatile: fc.boolean(),
  cluster: fc.boolean(),
  through: fc.boolean(),
  salt: fc.nat(3),
  profile: fc.nat(PROFILES.length - 1),
  skews: fc.array(fc.constantFrom(...SKEWS), { minLength: 4, maxLength: 4 }),
})

export const primaryStore = explorerOf<Config>({
  name: 'store',
  configs,
  simpler: [
    { replicas: 2 },
    { replicas: 3 },
    { outsiders: false },
    { volatile: false },
    { cluster: false },
    { through: false },
    { skews: [0, 0, 0, 0] },
  ],
  stepsMax: 90,
  run: (config, steps, mutant, trace) => {
    const w = new World(asExplored(config, mutant), mutant, trace)
    for (const n of steps) step(w, n)
    settle(w)
    return w.counts
  },
  directed: DIRECTED,
  mutants: {
    'void-ignored': 'the answer of a void load is not kept',
    'void-by-begin-stamp': 'positions decide whether a load is void, not the stamp at its begin',
    'void-by-end-stamp': 'positions decide whether a load is void, not the stamp at its end',
    'pattern-not-remembered': 'an invalidation of a pattern is remembered for keys that come later',
    'joins-void-load': 'who began after an invalidation is not given the answer of a load begun before',
    'forgets-without-floor': 'a forgotten invalidation is in the vector of what was let go of',
    'fill-without-begin': 'a fill is kept only if its load had seen every remembered invalidation',
    'fill-stamped-at-end': 'a fill counts as having seen what its load had seen when it began',
    'fill-below-floor': 'a fill is kept only if its load had seen what was let go of here',
    'fill-without-known': 'a fill is kept only if nothing that its owner knew was applied and let go of here',
    'compacts-unstored': 'nothing is compacted before it is stored',
    'base-assumed-empty': 'the base of a key that was let go of is unknown',
    'answers-from-older-copy': 'an owner answers from its copy only if it has all that the asker has',
    'write-served-alone': 'a write stands alone only if its writer had seen every invalidation',
    'late-write-served-alone': 'a write stands alone only if nothing later was let go of here',
    'invalidation-drops-writes': 'an invalidation loses no write',
    'flush-copy-at-ack': 'the acknowledgement of a flush counts from where the flush began',
    'count-version': 'a row names its operations; their number is no version',
    'count-after-read': 'a row names its operations, though each flush reads first',
    'count-after-read-at-rest': 'a row names its operations, though nothing but the end is judged',
    'refused-counts-as-stored': 'a refusal never means stored',
    'outsider-unnoticed': 'the value is in the condition of a compare-and-set',
    'delta-retried': 'a retry is the row as it is now with what it lacks on top',
    'base-numbered': 'bases have names, not numbers',
    'base-not-renamed': 'a flush over something unseen gives the row a new name',
    'unsettled-served': 'concurrent operations in which order matters are served when the store has settled them',
    'load-not-observed': 'the clock observes the tip of every row that is read',
    'author-flushes': 'whoever the hash names flushes, whoever wrote',
    'flushes-unshared': 'with logs in memory only what a second replica has is flushed',
    'evicts-unstored': 'only what is stored is let go of',
    'evicts-unstable': 'only what is stable is let go of',
    'evicts-under-load': 'no key is let go of while a request about it is open',
    'evicts-without-floor': 'what was let go of is in the floor of the replica',
    'tombstone-purged-early': 'a tombstone stays while a request about its key may be alive',
    'refusal-believed': 'a refusal on a later try is believed after a fence',
    'through-visible-first': 'a write through is visible when the store has it',
    'row-silence-means-contained': 'an id that a row does not name is not contained in it, pruned or not',
    'forgets-id-that-is-held': 'an id leaves the rows when no member holds an operation of it beside its base',
  },
})

/** Where operations are counted: in its best case, without outsiders and writes through. */
function asExplored(drawn: Config, mutant: string): Config {
  const config = drawn.profile === LOSES_LOGS ? { ...drawn, volatile: true } : drawn
  if (!mutant.startsWith('count-')) return config
  return { ...config, outsiders: false, through: false, kind: config.kind === 'counter' ? 'counter' : 'register' }
}
