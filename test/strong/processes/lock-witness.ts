/** Reads beside the replicas what they say of locks in the ordered log, and when, by the log's own time. */
import { natsOrderedLog } from '../../../adapters/nats/index.ts'
import { decodeRecord } from '../../../src/strong/commands.ts'
import { readAct, type LockAct } from '../../../src/strong/locks/tables/lock-acts.ts'
import { LogClient, type LogReader, until } from '../../adapters/broker/log-client.ts'

interface Act {
  readonly act: LockAct['act']
  /** Of who asks, what people call its replica. */
  readonly by: string
  readonly timeMs: number
}

export class LockWitness {
  readonly #client: LogClient
  readonly #reader: LogReader
  readonly #found = new Map<string, Act[]>()
  #readCount = 0

  private constructor(client: LogClient) {
    this.#client = client
    this.#reader = client.follow()
  }

  static async open(order: { readonly servers: string; readonly stream: string }): Promise<LockWitness> {
    return new LockWitness(await LogClient.open(natsOrderedLog(order)))
  }

  close(): Promise<void> {
    return this.#client.link.close()
  }

  /** Settles when the lock has been asked for so often. */
  asked(name: string, times: number): Promise<void> {
    return until(() => this.#acts(name).filter(({ act }) => act === 'acquire').length >= times)
  }

  /**
   * When the lock was last renewed before that moment, or else asked for, by the time of the log. 0: neither.
   * Renewals that a replica sent too late come behind the moment at which somebody else has it.
   */
  async lastRenewedMs(name: string, beforeMs: number): Promise<number> {
    await this.#catchUp()
    const acts = this.#acts(name).filter(({ timeMs }) => timeMs <= beforeMs)
    const renewed = acts.findLast(({ act }) => act === 'renew') ?? acts.find(({ act }) => act === 'acquire')
    return renewed?.timeMs ?? 0
  }

  /** When somebody last asked for the lock or renewed it before `by` asked for it. 0: nobody did. */
  async lastBeforeMs(name: string, by: string): Promise<number> {
    await this.#catchUp()
    const acts = this.#acts(name)
    const own = acts.findIndex((act) => act.by === by)
    return own <= 0 ? 0 : acts[own - 1]!.timeMs
  }

  async #catchUp(): Promise<void> {
    const head = await this.#client.link.barrier(0)
    await until(() => (this.#reader.last?.offset ?? 0) >= head)
  }

  /** Each record is looked at once. */
  #acts(name: string): readonly Act[] {
    for (const { id, bytes, timeMs } of this.#reader.records.slice(this.#readCount)) {
      this.#readCount++
      if (id.startsWith('barrier:')) continue
      for (const one of decodeRecord(bytes).commands) {
        if (one.kind !== 'lock') continue
        const acts = this.#found.get(one.name) ?? []
        const act = readAct(one)
        acts.push({ act: act.act, by: act.act === 'acquire' ? act.by : '', timeMs })
        this.#found.set(one.name, acts)
      }
    }
    return this.#found.get(name) ?? []
  }
}
