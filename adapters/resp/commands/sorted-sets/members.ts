/** Members of sorted sets with their scores, and how they are replied. */
import type { Call } from '../../call/command.ts'
import { viewAs, type KeyView } from '../../call/key-facts.ts'

export interface Scored {
  readonly name: string
  readonly score: number
}

export function zsetOf(call: Call, key: string | undefined): KeyView {
  return viewAs(call, key as string, 'zset')
}

/** So many members from a rank on, or, in reverse, from there towards the first one. */
export function membersFrom(
  { members }: KeyView,
  { rank, count, isReverse }: { readonly rank: number; readonly count: number; readonly isReverse: boolean },
): Scored[] {
  const found: Scored[] = []
  if (members === undefined || count <= 0) return found
  for (const { name, score } of isReverse ? members.backFrom(rank) : members.from(rank)) {
    found.push({ name, score })
    if (found.length >= count) break
  }
  return found
}

/** Flat under RESP2, in pairs under RESP3. */
export function writeMembers({ reply }: Call, members: readonly Scored[], hasScores: boolean): void {
  if (!hasScores) {
    reply.bulks(members.map(({ name }) => name))
    return
  }
  const isPaired = reply.protocol === 3
  reply.array(isPaired ? members.length : members.length * 2)
  for (const member of members) {
    if (isPaired) reply.array(2)
    writeScored(reply, member)
  }
}

/** In pairs under both. */
export function writePairs({ reply }: Call, members: readonly Scored[]): void {
  reply.array(members.length)
  for (const member of members) {
    reply.array(2)
    writeScored(reply, member)
  }
}

export function writeScored(reply: Call['reply'], { name, score }: Scored): void {
  reply.bulk(name)
  reply.double(score)
}

/** As the verb takes them. */
export function pairsOf(members: readonly Scored[]): (readonly [member: string, score: number])[] {
  return members.map(({ name, score }) => [name, score] as const)
}
