/** The policies by name, and what users make. */
import { closest } from '../../../crdt/checked-options.ts'
import { shownKind } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { CopyPolicy, PolicyFacts, PolicyName } from './policy.ts'
import { Lirs } from './lirs.ts'
import { Lru } from './lru.ts'
import { Sieve } from './sieve.ts'
import { WTinyLfu } from './w-tiny-lfu.ts'

type MakePolicy = (facts: PolicyFacts) => CopyPolicy

const wTinyLfu: MakePolicy = (facts) => new WTinyLfu(facts)
const POLICIES: Readonly<Record<PolicyName, MakePolicy>> = {
  sieve: (facts) => new Sieve(facts),
  adaptive: (facts) => new Lirs(facts),
  'w-tinylfu': wTinyLfu,
  // Who asks for it plainly wants the good one.
  lfu: wTinyLfu,
  lru: (facts) => new Lru(facts),
}
const NAMES = Object.keys(POLICIES)
const METHODS = ['added', 'hit', 'removed', 'victim'] as const

/** Throws `WARP_E_CONFIG`. */
export function policyOf(policy: PolicyName | MakePolicy = 'sieve'): MakePolicy {
  if (typeof policy === 'function') return (facts) => checked(policy(facts))
  if (NAMES.includes(policy)) return POLICIES[policy]
  const meant = typeof (policy as unknown) === 'string' ? closest(policy, NAMES) : undefined
  throw refused(
    shownKind(policy),
    meant === undefined ? `use ${NAMES.join(', ')}, or a function` : `did you mean '${meant}'?`,
  )
}

function checked(made: CopyPolicy): CopyPolicy {
  const given = (made ?? {}) as Partial<CopyPolicy> // users may not have a compiler
  const missing = METHODS.find((method) => typeof given[method] !== 'function')
  if (missing === undefined) return made
  throw refused(`a function that makes ${shownKind(made)}`, `the policy needs ${missing}()`)
}

function refused(shown: string, remedy: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `openWarp: copies: policy is ${shown}; ${remedy}`, {
    details: { option: 'copies.policy' },
  })
}
