/** Leases: what is explored, and which rules are left out to see whether that is found. */
import fc from 'fast-check'
import { explorerOf } from '../explorer.ts'
import { DIRECTED } from './directed.ts'
import { settle } from './rest.ts'
import { PROFILES, step } from './steps.ts'
import { type Config, World } from './world.ts'

export const leases = explorerOf<Config>({
  name: 'leases',
  configs: fc.record({
    replicas: fc.integer({ min: 2, max: 4 }),
    volatile: fc.boolean(),
    profile: fc.nat(PROFILES.length - 1),
  }),
  simpler: [{ replicas: 2 }, { replicas: 3 }, { volatile: false }],
  stepsMax: 90,
  run: (config, steps, mutant, trace) => {
    const w = new World(config, mutant, trace)
    for (const n of steps) step(w, n)
    settle(w)
    return w.counts
  },
  directed: DIRECTED,
  mutants: {
    'second-hand-in-full': 'a renewal that comes from another replica has what that one says is left',
    'counts-from-the-answer': 'what is left counts from when it was asked for',
    'earlier-deadline-ends': 'what is left since an earlier renewal shows keys, and ends nothing',
    'start-counts-in-full': 'after a start nobody knows how long a lease has left until somebody says so',
    'joiner-counts-in-full': 'who joins does not know how long a lease has left until somebody says so',
    'silent-owner-is-dead': 'a lease of a member is ended by its owner alone',
    'nobody-ends-for-the-dead': 'a lease of an owner that is no member is ended by the senior member',
    'senior-does-not-wait': 'the senior member ends a lease only when it has all of the owner that counts',
    'owner-never-ends': 'a lease that has run out is ended by its owner',
    'anybody-renews': 'only the owner renews',
    'renewal-revives': 'a lease that has ended stays so, whatever comes later',
    'others-show-until-the-end': 'who does not hear of renewals hides the keys',
    'falls-with-the-last': 'a key with several leases falls with the first',
    'end-spares-late-attachment': 'what is attached to a lease that has ended falls at once',
    'end-spares-copies': 'an end voids the copies of the keys that are attached',
    'reports-each-end': 'each replica reports one end of a lease',
    'joiner-does-not-hear-of-ends': 'who joins takes over the leases that have ended',
    'compacts-unstable-end': 'an end is kept until everybody has it',
  },
})
