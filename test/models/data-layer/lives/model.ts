/** Lives, grace and throttle: what is explored, and which rules are left out to see whether that is found. */
import fc from 'fast-check'
import { explorerOf, fail, spread } from '../explorer.ts'
import { type Config, World } from './world.ts'

type Step = (w: World, a: number) => string

const STEPS: readonly (readonly [number, Step])[] = [
  [20, (w) => (w.read(), 'a caller reads')],
  [16, (w, a) => (w.pass(1 + (a % 40)), 'time passes')],
  [4, (w, a) => (w.pass(100 + (a % 400)), 'much time passes')],
  [7, (w) => (w.execute(), 'the source looks')],
  [7, (w) => (w.respond(), 'the source answers')],
  [4, (w) => (w.break(), 'the source fails')],
  [3, change],
  [2, (w) => (w.invalidate(false), 'an invalidation')],
  [1, (w) => (w.invalidate(true), 'a hard invalidation')],
]
const KINDS: readonly Step[] = STEPS.flatMap(([weight, step]) => Array.from({ length: weight }, () => step))
const numbersOf = (...steps: readonly number[]): readonly number[] =>
  steps.map((n) => STEPS.slice(0, n).reduce((sum, [weight]) => sum + weight, 0))
const PROFILES: readonly (readonly number[])[] = [
  Array.from({ length: 64 }, (_, i) => i),
  spread(numbersOf(0, 0, 0, 1, 1, 2, 3, 4, 5, 5)),
  spread(numbersOf(0, 0, 0, 1, 1, 3, 3, 4, 4, 5, 6, 7, 8)),
]

/** Now and then there is nothing. */
function change(w: World, a: number): string {
  w.version++
  w.source = a % 3 === 0 ? undefined : w.version
  return `the source holds ${w.source ?? 'nothing'}`
}

export const lives = explorerOf<Config>({
  name: 'lives',
  configs: fc.record({
    ttlMs: fc.constantFrom(20, 100, 300),
    staleMs: fc.constantFrom(0, 50, 400),
    throttleMs: fc.constantFrom(0, 30, 200),
    softTimeoutMs: fc.constantFrom(10, 40),
    hardTimeoutMs: fc.constantFrom(50, 120),
    refreshAhead: fc.constantFrom(0.5, 0.8, 1),
    negativeTtlMs: fc.constantFrom(10, 60),
    staleAfterInvalidation: fc.boolean(),
    profile: fc.nat(PROFILES.length - 1),
  }),
  simpler: [
    { staleAfterInvalidation: false },
    { refreshAhead: 1 },
    { throttleMs: 0 },
    { ttlMs: 100 },
    { staleMs: 400 },
  ],
  stepsMax: 60,
  run: (config, steps, mutant, trace) => {
    const w = new World(config, mutant, trace)
    for (const n of steps) {
      const kind = KINDS[PROFILES[config.profile]![n & 63]! % KINDS.length]!
      w.say(kind(w, n >>> 9))
    }
    w.pass(config.hardTimeoutMs)
    if (w.waiting.length > 0) fail(`${w.waiting.length} callers wait for ever`)
    return w.counts
  },
  directed: {},
  mutants: {
    'stale-after-invalidation': 'a voided copy is served stale only where the keyspace says so',
    'hard-is-soft': 'a copy is not served stale after a hard invalidation',
    'soft-after-hard': 'a soft invalidation after a hard one changes nothing',
    'stale-for-ever': 'nothing is served beyond its grace',
    'failure-shortens-life': 'a load that fails does not shorten a life',
    'failure-renews-life': 'a load that fails does not make a copy fresh',
    'throttle-from-expiry': 'the pause between tries counts from the failure',
    'throttle-without-stale': 'where there is nothing to serve the source is asked',
    'success-keeps-throttle': 'a load that succeeds ends the pause',
    'negative-lives-like-values': 'that there is nothing has a life of its own',
    'negative-has-grace': 'that there was nothing is not served stale',
    'void-answer-kept': 'the answer of a void load is not kept',
    'late-callers-get-void-answer': 'who began after an invalidation waits for a new load',
    'late-load-dropped': 'a load that ends after its soft timeout is kept',
    'soft-timeout-ignored': 'nobody waits longer than the soft timeout if there is something to serve',
    'hard-timeout-ignored': 'nobody waits longer than the hard timeout',
    'refreshes-twice': 'a key is refreshed once at a time',
    'refresh-not-throttled': 'a refresh behind waits for the pause after a failure',
  },
})
