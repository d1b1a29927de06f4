/** Which keys are on which lease, by the operations that have put them there. */
import type { Dot } from '../../../crdt/time/dot.ts'
import { compilePattern, type KeyPattern } from '../../../src/keys/pattern.ts'
import type { LeaseId } from '../../../src/operation/leases/lease-note.ts'
import type { Said } from '../../simulation/data/data-intent.ts'
import type { CallRecord } from '../../simulation/report/run-history.ts'

interface Attachment {
  readonly pattern: KeyPattern
  readonly dot: Dot
}

export class Attachments {
  readonly #of = new Map<LeaseId, Attachment[]>()

  /** Takes notice of a call that has ended. */
  note({ intent, outcome, value }: CallRecord): void {
    if (intent.kind !== 'attach' || outcome !== 'ok' || value === undefined) return
    const { lease = '', dot } = value as Said
    const of = this.#of.get(lease) ?? []
    this.#of.set(lease, of)
    of.push({ pattern: compilePattern(intent.target), dot })
  }

  /** Whether a key is on a lease, as far as somebody knows. */
  isOn(key: string, lease: LeaseId, knows: (dot: Dot) => boolean): boolean {
    return (this.#of.get(lease) ?? []).some(({ pattern, dot }) => pattern.matches(key) && knows(dot))
  }
}
