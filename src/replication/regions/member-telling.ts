/**
 * What a relay tells into a region of the members that are not heard there: that they are there, and
 * what they have acknowledged and announced, in their own words. Compaction waits for all members of
 * all regions, and a member that nobody spoke of would be given up after the horizon.
 *
 * With each round what has risen, and who has gone down or come back; every few rounds that they are still there; and now and then, and
 * when somebody has come, the whole, since any frame may be lost. Words of members only rise, so it does no
 * harm to hear them twice, late, or by two relays. Only the relay that works tells.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { KnownReplica, KnownReplicas } from '../members/known-replicas.ts'
import { MEMBER_ENTRIES_PER_FRAME, type MemberRow } from '../wire/frames.ts'

/** Rounds between two rows of a member that has said nothing new, and between two whole ones. */
const ALIVE_ROUNDS = 4
const WHOLE_ROUNDS = 30

export interface DescribedMember {
  readonly region: string
  readonly zone: string
  readonly isDown: boolean
}

export interface MemberTellingParts {
  readonly members: () => KnownReplicas
  readonly describe: (replica: ReplicaId, nowMs: number) => DescribedMember
  /** Whether that member is told of here by this replica. */
  readonly tells: (replica: ReplicaId) => boolean
  readonly send: (rows: readonly MemberRow[]) => void
}

interface Told {
  readonly acknowledged: VersionVector
  readonly stable: VersionVector
  readonly through: number
  readonly isDown: boolean
  readonly rounds: number
}

export class MemberTelling {
  readonly #parts: MemberTellingParts
  #told = new Map<ReplicaId, Told>()
  #rounds = 0

  constructor(parts: MemberTellingParts) {
    this.#parts = parts
  }

  /** Somebody has come who may have heard nothing. */
  forget(): void {
    this.#told.clear()
  }

  /** With each round, if this relay works. */
  beat(nowMs: number): void {
    if (++this.#rounds % WHOLE_ROUNDS === 0) this.forget()
    const told = new Map<ReplicaId, Told>()
    let rows: MemberRow[] = []
    let entries = 0
    for (const member of this.#parts.members().present()) {
      if (!this.#parts.tells(member.replica)) continue
      const row = this.#row(member, told, nowMs)
      if (row === undefined) continue
      const size = 1 + row.acknowledged.size + row.stable.size + row.ended.length
      if (entries > 0 && entries + size > MEMBER_ENTRIES_PER_FRAME) {
        this.#parts.send(rows)
        rows = []
        entries = 0
      }
      rows.push(row)
      entries += size
    }
    if (rows.length > 0) this.#parts.send(rows)
    this.#told = told
  }

  #row(member: KnownReplica, told: Map<ReplicaId, Told>, nowMs: number): MemberRow | undefined {
    const { replica, through, isVolatile, format, name } = member
    const known = this.#told.get(replica)
    const acknowledged = risen(known?.acknowledged, member.acknowledged)
    const stable = risen(known?.stable, member.stable)
    const described = this.#parts.describe(replica, nowMs)
    const { isDown } = described
    const hasRisen = acknowledged.size > 0 || stable.size > 0 || through > (known?.through ?? 0)
    const isNew = known === undefined || hasRisen || isDown !== known.isDown
    const rounds = isNew ? 0 : known.rounds + 1
    const isDue = isNew || rounds % ALIVE_ROUNDS === 0
    const vectors = { acknowledged: member.acknowledged.copy(), stable: member.stable.copy() }
    told.set(replica, { ...vectors, through, isDown, rounds })
    if (!isDue) return undefined
    return {
      ...{ replica, isPersistent: !isVolatile, format, name, through, acknowledged, stable },
      ...described,
      silentMs: Math.max(0, Math.round(nowMs - member.heardMs)),
      ended: endedFor(member),
    }
  }
}

function risen(before: VersionVector | undefined, now: VersionVector): VersionVector {
  if (before === undefined) return now.copy()
  return VersionVector.from([...now.entries()].filter(([replica, sequence]) => sequence > before.get(replica)))
}

/** Ids that have ended for it, all of whose operations up to there it has (`members/pruner.ts`). */
function endedFor({ said }: KnownReplica): MemberRow['ended'] {
  return said === undefined ? [] : said.retired.filter(([replica, end]) => said.applied.get(replica) === end)
}
