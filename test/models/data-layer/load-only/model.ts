/** Keyspaces with `load` alone: what is explored, and which rules are left out to see whether that is found. */
import fc from 'fast-check'
import { explorerOf } from '../explorer.ts'
import { DIRECTED } from './directed.ts'
import { settle } from './rest.ts'
import { PROFILES, step } from './steps.ts'
import { type Config, World } from './world.ts'

export const loadOnly = explorerOf<Config>({
  name: 'load-only',
  configs: fc.record({
    replicas: fc.integer({ min: 2, max: 4 }),
    cluster: fc.boolean(),
    since: fc.boolean(),
    volatile: fc.boolean(),
    salt: fc.nat(3),
    profile: fc.nat(PROFILES.length - 1),
  }),
  simpler: [{ replicas: 2 }, { replicas: 3 }, { cluster: false }, { since: false }, { volatile: false }],
  stepsMax: 90,
  run: (config, steps, mutant, trace) => {
    const w = new World(config, mutant, trace)
    for (const n of steps) step(w, n)
    settle(w)
    return w.counts
  },
  directed: DIRECTED,
  mutants: {
    'set-spares-flights': 'a set voids the load in flight',
    'set-over-invalidation': 'a set fits only if its writer had seen every remembered invalidation',
    'set-below-floor': 'a set fits only if its writer had seen what was forgotten',
    'set-outlives-invalidation': 'an invalidation voids the copy of a set',
    'later-stamp-wins': 'of two concurrent sets neither is a copy, whatever their stamps',
    'compared-with-present-copy': 'a set is compared with the sets of the key, not with the present copy',
    'load-clears-sets': 'a load that replaces the copy of a set leaves what is known of sets',
    'last-set-alone': 'of concurrent sets all are known, not only the last',
    'unfit-set-not-counted': 'a set that does not fit counts like others against those that come',
    'unfit-set-spares-copy': 'a set that does not fit drops the copy',
    'evicts-sets-without-floor': 'what is known of sets goes into the forgotten when the entry leaves',
    'evicts-void-of-flight': 'that a load is void outlives the entry',
    'set-ignores-tags': 'a set fits only if its writer had seen the invalidations of its tags',
    'tags-of-answer-ignored': 'invalidations by tag are looked for when the answer with its tags is there',
    'forgotten-tag-ignored': 'a load is void if an invalidation by tag was forgotten while it was under way',
    'forgets-without-floor': 'a forgotten invalidation is in the vector of the forgotten',
    'forgets-without-sweep': 'copies that a forgotten invalidation had voided are swept',
    'starts-without-floor': 'after a start everything applied is forgotten',
    'digest-counts-at-once': 'a digest tells what operations have seen that were written after it',
    'since-ignored': 'a set since a position is an invalidation if anything of the key entered after it',
    'since-ignores-floor': 'what was forgotten since the position counts as having entered',
    'void-ignored': 'the answer of a void load is not kept',
    'void-answer-drops-copy': 'the answer of a void load leaves the copy of a set',
    'joins-void-load': 'who began after the load was void is not given its answer',
    'answers-from-older-copy': 'an owner answers from its copy only if it has all that the asker has',
    'fill-stamped-at-end': 'a fill counts as having seen what its load had seen when it began',
    'fill-ignores-invalidations': 'a fill is kept only if its load had seen every remembered invalidation',
    'fill-below-floor': 'a fill is kept only if its load had seen what was forgotten',
    'fill-ignores-sets': 'a fill is kept only if its load had seen the sets that are known',
  },
})
