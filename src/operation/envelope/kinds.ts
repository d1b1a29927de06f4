/**
 * The one table of what operations do. The codes are fixed for ever. A kind that this build does
 * not apply is kept in the log and forwarded as it came; if it belongs to a key, it blocks that key
 * here until the replica is upgraded, and nothing else.
 */

/** What an operation does, by the code in its envelope. */
export const OPERATION_KIND = {
  update: 1,
  delete: 2,
  invalidate: 3,
  void: 4,
  touch: 5,
  leaseGrant: 6,
  leaseAttach: 7,
  leaseRenew: 8,
  leaseRevoke: 9,
  leaseExpire: 10,
  join: 11,
  leave: 12,
  evict: 13,
  end: 14,
  will: 15,
  away: 16,
  upgraded: 17,
  decision: 18,
} as const

/**
 * Added to the code of an operation that has a field without which it cannot be applied: then it is
 * of a kind that is not known here.
 */
export const UNDERSTOOD_NOT = 256

export interface KindRule {
  readonly code: number
  /** As people read it. */
  readonly name: string
  /** What stands in the place of the key. */
  readonly target: 'key' | 'key, pattern or tag' | 'lease' | 'nothing'
  /**
   * Whether it is part of the history of the key that it names. If not, it changes no key's chain,
   * and blocks none.
   */
  readonly isOfKey: boolean
  readonly payload: 'by the strategy' | 'its own' | 'none'
  /** Whether this build applies it. */
  readonly isApplied: boolean
  readonly what: string
  /** The room of src/ that applies it, or will. */
  readonly room: 'merge' | 'store' | 'data-layer' | 'membership' | 'strong'
}

const LEASE = { target: 'lease', isOfKey: false, isApplied: true, payload: 'its own', room: 'data-layer' } as const
const LATER_MEMBER = { target: 'nothing', isOfKey: false, isApplied: false, room: 'membership' } as const
const MEMBER = { ...LATER_MEMBER, isApplied: true } as const

/** By code. */
export const KIND_RULES: readonly KindRule[] = [
  {
    ...{ code: OPERATION_KIND.update, name: 'update', target: 'key', isOfKey: true, payload: 'by the strategy' },
    ...{ isApplied: true, what: 'changes the value as its strategy says', room: 'merge' },
  },
  {
    ...{ code: OPERATION_KIND.delete, name: 'delete', target: 'key', isOfKey: true, payload: 'none' },
    ...{ isApplied: true, what: 'takes away what its writer had seen', room: 'merge' },
  },
  {
    ...{ code: OPERATION_KIND.invalidate, name: 'invalidate', target: 'key, pattern or tag', isOfKey: false },
    ...{ payload: 'its own', isApplied: true, what: 'copies of what a source holds are out of date' },
    room: 'data-layer',
  },
  {
    ...{ code: OPERATION_KIND.void, name: 'void', target: 'nothing', isOfKey: false, payload: 'none' },
    ...{ isApplied: false, what: 'closes a number: nothing was written under it', room: 'store' },
  },
  {
    ...{ code: OPERATION_KIND.touch, name: 'touch', target: 'key', isOfKey: true, payload: 'none' },
    ...{ isApplied: true, what: 'begins the life of the value anew', room: 'merge' },
  },
  {
    ...{ ...LEASE, code: OPERATION_KIND.leaseGrant, name: 'lease grant' },
    what: 'a lease begins',
  },
  {
    ...{ ...LEASE, code: OPERATION_KIND.leaseAttach, name: 'lease attach' },
    what: 'copies of a key, or of all that a pattern matches, live no longer than a lease',
  },
  {
    ...{ ...LEASE, code: OPERATION_KIND.leaseRenew, name: 'lease renew', payload: 'none' },
    what: 'a lease goes on',
  },
  {
    ...{ ...LEASE, code: OPERATION_KIND.leaseRevoke, name: 'lease revoke', payload: 'none' },
    what: 'somebody ends a lease',
  },
  {
    ...{ ...LEASE, code: OPERATION_KIND.leaseExpire, name: 'lease expire', payload: 'none' },
    what: 'a lease was not renewed in time',
  },
  {
    ...{ ...LATER_MEMBER, code: OPERATION_KIND.join, name: 'join', payload: 'its own' },
    what: 'a member lets a new id in',
  },
  {
    ...{ ...MEMBER, code: OPERATION_KIND.leave, name: 'leave', payload: 'none' },
    what: 'ends its own id, in order',
  },
  {
    ...{ ...MEMBER, code: OPERATION_KIND.evict, name: 'evict', payload: 'its own' },
    what: 'says of members that nobody waits for them any more',
  },
  {
    ...{ ...MEMBER, code: OPERATION_KIND.end, name: 'end', payload: 'its own' },
    what: 'says that who has seen it has all of ids that are over',
  },
  {
    ...{ ...LATER_MEMBER, code: OPERATION_KIND.will, name: 'will', payload: 'its own' },
    what: 'seals an id that lost its tail, and names its heir',
  },
  {
    ...{ ...MEMBER, code: OPERATION_KIND.away, name: 'away', payload: 'its own' },
    what: 'closed in order, and for how long',
  },
  {
    ...{ ...LATER_MEMBER, code: OPERATION_KIND.upgraded, name: 'upgraded', payload: 'its own' },
    what: 'what its writer speaks from now on',
  },
  {
    ...{ code: OPERATION_KIND.decision, name: 'decision', target: 'nothing', isOfKey: false, payload: 'its own' },
    ...{ isApplied: false, what: 'how a condition or a transaction was decided', room: 'strong' },
  },
]

const BY_CODE: readonly (KindRule | undefined)[] = [undefined, ...KIND_RULES]

/** The rule of a kind; `undefined` for one that no table of this build names. */
export function ruleOf(kind: number): KindRule | undefined {
  return BY_CODE[kind & 0xff]
}

/** Whether this build applies operations of this kind to their keys. */
export function isApplied(kind: number): boolean {
  return kind === OPERATION_KIND.update || kind === OPERATION_KIND.delete || kind === OPERATION_KIND.touch
}

/** Whether this build knows what to do with operations of this kind, of a key or of none. */
export function isUnderstood(kind: number): boolean {
  return kind < UNDERSTOOD_NOT && ruleOf(kind)?.isApplied === true
}

/**
 * Whether an operation of this kind is part of a key's history. Of a kind that is not known it is
 * taken to be.
 */
export function isOfKey(kind: number): boolean {
  if (isApplied(kind)) return true
  return ruleOf(kind)?.isOfKey ?? true
}
