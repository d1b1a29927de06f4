/**
 * Somebody who reads the ordered log from its beginning, misses nothing, and keeps what it has read when
 * the log lets go of it: what the log holds is known whatever the replicas say.
 */
import type { OrderedLog, OrderedRecord } from '../../../src/ports/ordered-log.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { type CommandRecord, decodeRecord } from '../../../src/strong/commands.ts'

export interface WitnessedRecord extends CommandRecord {
  readonly partition: number
  readonly offset: number
  readonly timeMs: number
}

export class Witness {
  /** Of all partitions, each in its order. */
  readonly records: WitnessedRecord[] = []
  /** By author and number: as often as its record got a place. */
  readonly #commands = new Map<string, number>()
  readonly #offsets: number[] = []

  async follow(order: OrderedLog): Promise<void> {
    const link = await order.open({ connected: () => undefined })
    for (let partition = 0; partition < link.partitionsCount; partition++)
      link.follow(partition, undefined, {
        records: (batch) => {
          for (const record of batch) this.#take(partition, record)
        },
        trimmed: (firstOffset) => {
          throw new RangeError(`the witness has missed what was before ${firstOffset}`)
        },
        broken: () => undefined,
      })
  }

  /** How often the log has kept a command. */
  count(partition: number, author: string, sequence: number): number {
    return this.#commands.get(`${partition} ${author} ${sequence}`) ?? 0
  }

  #take(partition: number, { offset, timeMs, bytes, id }: OrderedRecord): void {
    if (offset <= (this.#offsets[partition] ?? 0) || bytes.length === 0 || id.startsWith('barrier:')) return
    this.#offsets[partition] = offset
    const record = readable(bytes)
    if (record === undefined) return
    this.records.push({ ...record, partition, offset, timeMs })
    for (const i of record.commands.keys()) {
      const name = `${partition} ${record.author} ${record.first + i}`
      this.#commands.set(name, (this.#commands.get(name) ?? 0) + 1)
    }
  }
}

function readable(bytes: Uint8Array): CommandRecord | undefined {
  try {
    return decodeRecord(bytes)
  } catch (error) {
    if (isWarpError(error)) return undefined
    throw error
  }
}
