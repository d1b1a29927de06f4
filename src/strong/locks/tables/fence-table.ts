/**
 * Which token has written each key of a partition: the greatest of those that came with writes. A
 * write with a lower one is refused, on every replica alike.
 *
 * So many keys are remembered by themselves. Beyond, those with the lowest tokens are forgotten, and
 * the greatest of these counts for every key that is not remembered: some holders of old tokens are
 * refused that could be let in, and none is let in that has to be refused. Tokens follow the log's
 * time (`LockTable`), so what is old in one partition is old in all.
 */
import type { Encodable } from '../../../../crdt/encoding/encodable.ts'
import { expectCount } from '../../../../crdt/encoding/stored-state.ts'
import { FENCED_KEYS_MAX } from '../../../limits.ts'
import type { WriteCommand } from '../../commands.ts'
import type { Verdict } from '../../verdict.ts'
import { KeptTable } from './kept-table.ts'

const BUCKETS = 1024
/** So many are forgotten at once. */
const FORGOTTEN: number = FENCED_KEYS_MAX / 8

export class FenceTable {
  readonly kept: KeptTable<number>

  /** `name`: what its checkpoints are called. */
  constructor(name: string) {
    this.kept = new KeptTable<number>({
      ...{ name, bucketsCount: BUCKETS, encodeValue: (token: number) => token, decodeValue: expectCount },
      weigh: () => 1,
    })
  }

  /** Why a write is refused; `undefined` if no greater token has written any of its keys. */
  refusal({ changes, fence }: WriteCommand): Extract<Verdict, { kind: 'failed' }> | undefined {
    if (fence === undefined) return undefined
    for (const { key } of changes) {
      const token = this.kept.get(key) ?? this.kept.mark
      if (token > fence) return fenced(key, fence, token)
    }
    return undefined
  }

  /** A write counts. */
  note({ changes, fence }: WriteCommand): void {
    if (fence === undefined) return
    for (const { key } of changes) if (this.kept.get(key) !== fence) this.kept.set(key, fence)
    if (this.kept.weight > FENCED_KEYS_MAX) this.#forget()
  }

  encode(): Encodable {
    return this.kept.encode()
  }

  #forget(): void {
    const tokens = new Float64Array(this.kept.weight)
    let count = 0
    for (const [, token] of this.kept.entries()) tokens[count++] = token
    const most = tokens.sort()[FORGOTTEN - 1]!
    for (const [key, token] of [...this.kept.entries()]) if (token <= most) this.kept.set(key, undefined)
    this.kept.raise(most)
  }
}

function fenced(key: string, fence: number, token: number): Extract<Verdict, { kind: 'failed' }> {
  return {
    ...{ kind: 'failed', code: 'WARP_E_FENCED' },
    message:
      `'${key}' has been written by the holder of token ${token} since, and this write has the fence ${fence}; ` +
      'nothing was written; the lock is held by somebody else by now: acquire it again',
    details: { key, fence, token },
  }
}
