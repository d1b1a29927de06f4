/**
 * Transactions: a function reads and says what is to be written, and then all of that is written as
 * one, if everything that it has read is still so; otherwise the function is run again. Of strong
 * keys the ordered log decides, by one record; of local ones this process, in one turn. Of eventual
 * ones nobody: they are written as one whatever has been read, and merge.
 */
import { awake, pause, whenAborted } from '../../ports/abort-signals.ts'
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Target } from '../../store/write-road/target.ts'
import { checkWriteOptions } from '../../store/write-road/writer.ts'
import type { StrongParts } from '../strong-calls.ts'
import { Attempt, type Doom } from './attempt.ts'
import { EventualGround } from './eventual-ground.ts'
import { LocalGround, StrongGround, type CommitOptions, type Ground } from './ground.ts'
import { givenUp, notAsExpected, otherMode, triedInVain } from './refusals.ts'
import {
  checkTransaction,
  TRIES_MAX,
  type TransactionFunction,
  type TransactionOptions,
  type TransactionOutcome,
  type TransactionReceipt,
} from './transaction-types.ts'

/** A pause between two tries lasts up to so long, ms, and up to twice as long after each. */
const BACK_OFF_MS = 4
const BACK_OFF_MS_MAX = 500

/** A try that came to nothing. */
interface InVain {
  readonly kind: 'in vain'
  readonly doom: Doom
}

type Tried = Extract<TransactionOutcome<unknown>, { kind: 'ok' }> | InVain

export class Transactions {
  readonly #parts: StrongParts

  constructor(parts: StrongParts) {
    this.#parts = parts
  }

  /** Rejects with `WARP_E_TXN_ABORTED`, with what `run` throws, and as a write does. */
  async run(run: TransactionFunction, options: TransactionOptions = {}): Promise<unknown> {
    checkTransaction('transaction', run, options)
    const { triesMax = TRIES_MAX } = options
    const tried = await this.#tries(run, options, triesMax)
    if (tried.kind === 'ok') return tried.value
    throw tried.doom.isFinal ? notAsExpected(tried.doom) : triedInVain(tried.doom, triesMax)
  }

  async tryRun(run: TransactionFunction, options: TransactionOptions = {}): Promise<TransactionOutcome<unknown>> {
    checkTransaction('tryTransaction', run, options)
    const tried = await this.#tries(run, options, options.triesMax ?? 1)
    if (tried.kind === 'ok') return tried
    const { key, version } = tried.doom
    return { kind: 'conflict', key, version }
  }

  async #tries(run: TransactionFunction, options: TransactionOptions, triesMax: number): Promise<Tried> {
    const { store, writer } = this.#parts
    const { signal } = options
    if (store.refusesWrites) writer.refuseNested('transaction')
    const beginning = new Beginning(this.#parts, options)
    for (let tries = 1; ; tries++) {
      beginning.tries = tries
      store.assertOpen()
      if (signal?.aborted === true) throw givenUp(signal)
      const tried = await this.#try(run, beginning, options)
      if (tried.kind === 'ok' || tried.doom.isFinal || tries >= triesMax) return tried
      await awake(store.env, pause(store.env, this.#backOffMs(tries), signal))
    }
  }

  async #try(run: TransactionFunction, beginning: Beginning, options: TransactionOptions): Promise<Tried> {
    const { signal } = options
    const attempt = new Attempt({ store: this.#parts.store, signal, beginning })
    let value: unknown
    try {
      value = await untilAborted(async () => {
        const returned = await run(attempt.view)
        await attempt.expectationsMet()
        return returned
      }, signal)
    } catch (error) {
      // What the function makes of a read that failed is no reason of its own.
      if (attempt.doom === undefined || signal?.aborted === true) throw error
      return { kind: 'in vain', doom: attempt.doom }
    } finally {
      attempt.end()
    }
    if (attempt.doom !== undefined) return { kind: 'in vain', doom: attempt.doom }
    return this.#commit(attempt, value, options)
  }

  async #commit(attempt: Attempt, value: unknown, options: TransactionOptions): Promise<Tried> {
    const { ground, seen, writes } = attempt
    if (ground === undefined || writes.list.length === 0) return { kind: 'ok', value, receipt: NOTHING_WRITTEN }
    const committed = await ground.commit(seen, writes.list, commitOptions(options))
    if (committed.kind === 'ok') return { kind: 'ok', value, receipt: committed.receipt }
    const { key, version } = committed
    return { kind: 'in vain', doom: { key, version, isFinal: false } }
  }

  /** By chance, so that those who got into each other's way do not meet again. */
  #backOffMs(tries: number): number {
    const [high = 0, low = 0] = this.#parts.store.env.random(2)
    const most = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS * 2 ** (tries - 1))
    return (most * (high * 256 + low)) / 65_536
  }
}

const NOTHING_WRITTEN: TransactionReceipt = { dot: undefined, ack: 'memory', versions: new Map() }

/** What all tries of one transaction share. */
class Beginning {
  readonly #parts: StrongParts
  readonly #options: TransactionOptions
  /** By the place where the keys are: what is there is new enough. */
  readonly #begun = new Map<string, Promise<void>>()
  /** How often the function has been run, this time included. */
  tries = 0

  constructor(parts: StrongParts, options: TransactionOptions) {
    this.#parts = parts
    this.#options = options
  }

  /** Where a try takes place that names this key first. Throws `WARP_E_MODE`, `WARP_E_CONFIG`. */
  open(target: Target): Ground {
    const { store, writer, strong } = this.#parts
    const { key, keyspace } = target
    const { mode } = this.#options
    if (mode !== undefined && keyspace.mode !== mode) throw otherMode(target, mode, undefined)
    checkWriteOptions('transaction', commitOptions(this.#options), keyspace)
    writer.checkWish(this.#options, keyspace.domain)
    if (keyspace.mode === 'local') return new LocalGround(store, writer)
    if (keyspace.mode === 'eventual') return new EventualGround(store, writer)
    if (strong === undefined) throw new Error('assertion failed: a strong key without an ordered log')
    return new StrongGround({ ...strong, store, first: key, asJudged: this.tries > 1 })
  }

  /**
   * Once, whatever is tried: what has stood in the way of a try has been taken in here when that is
   * known.
   */
  passed(ground: Ground): Promise<void> {
    const known = this.#begun.get(ground.name)
    if (known !== undefined) return known
    const begun = ground.passed(this.#options.signal)
    this.#begun.set(ground.name, begun)
    // Whoever reads next asks again.
    ignoreOutcome(begun.catch(() => this.#begun.delete(ground.name)))
    return begun
  }
}

function commitOptions({ ack, acks, fence, signal }: TransactionOptions): CommitOptions {
  return {
    ...(ack === undefined ? {} : { ack }),
    ...(acks === undefined ? {} : { acks }),
    ...(fence === undefined ? {} : { fence }),
    ...(signal === undefined ? {} : { signal }),
  }
}

/** What the function comes to; at once, without waiting for it, when the signal fires. */
function untilAborted(run: () => Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal === undefined) return run()
  return new Promise((resolve, reject) => {
    const stop = whenAborted(signal, () => reject(givenUp(signal)))
    run().then(resolve, reject).finally(stop)
  })
}
