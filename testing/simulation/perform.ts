/** Carries out an intent on the public face of an engine. */
import type { Warp } from '../../src/api/public.ts'
import type { Handle } from '../../src/api/handle.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { meddleWith } from '../world/meddling.ts'
import type { TimeLine } from '../world/time-line.ts'
import { type DataIntent, isDataIntent } from './data/data-intent.ts'
import type { DataSources } from './data/data-sources.ts'
import { performData } from './data/perform-data.ts'
import type { Life } from './life.ts'
import type { Machine } from './machine.ts'
import { isOrderIntent, type OrderIntent } from './order/order-intent.ts'
import { performOrder } from './order/perform-order.ts'
import type { Intent, RunHistory } from './report/run-history.ts'
import { isTransferIntent, performTransfer, type TransferIntent } from './transfers.ts'

/** Where an intent is carried out. */
export interface Place {
  readonly line: TimeLine
  readonly life: Life
  readonly data: DataSources | undefined
  readonly machine: Machine
  readonly history: RunHistory
  /** The number of the call. */
  readonly call: number
}

export async function perform(warp: Warp<KeyMap>, intent: Intent, place: Place): Promise<unknown> {
  if (isDataIntent(intent)) return performThere(warp, intent, place)
  if (isOrderIntent(intent)) return performOrder(warp, intent, place)
  return isTransferIntent(intent) ? performTransfer(warp, intent) : performOne(warp, intent, place)
}

type One = Exclude<Intent, DataIntent | OrderIntent | TransferIntent>

async function performOne(warp: Warp<KeyMap>, intent: One, place: Place): Promise<unknown> {
  switch (intent.kind) {
    case 'write':
      return write(warp, intent)
    case 'delete':
      return warp.delete(intent.key, intent.ack === undefined ? {} : { ack: intent.ack })
    case 'read':
      return warp.get(intent.key)
    case 'getAt':
      return warp.getAt(intent.key, intent.at)
    case 'log': {
      const records = []
      for await (const record of warp.log(intent.key)) records.push(record)
      return records
    }
    case 'compact':
      return warp.compact()
    case 'watch':
      consume(warp, intent, place.line)
      return undefined
  }
}

async function performThere(warp: Warp<KeyMap>, intent: DataIntent, { data, life }: Place): Promise<unknown> {
  if (data === undefined) throw new TypeError('there are no data elsewhere')
  return performData(warp, intent, data, life)
}

async function write(warp: Warp<KeyMap>, intent: Intent & { kind: 'write' }): Promise<unknown> {
  const { key, verb, parameters, ack } = intent
  const handle = handleOf(warp, key, ack === undefined ? undefined : { ack })
  const run = handle[verb] as ((...values: readonly unknown[]) => Promise<unknown>) | undefined
  if (run === undefined) throw new RangeError(`the strategy of '${key}' has no verb ${verb}`)
  const handed = parameters.map(copyOf)
  const answer = run.call(handle, ...handed)
  // A caller may do with its objects what it likes, as soon as the call has returned.
  for (const [i, parameter] of handed.entries()) if (parameter !== parameters[i]) meddleWith(parameter)
  return answer
}

/**
 * Takes some changes, each a little later than the one before, and then stalls: the watch stays
 * open.
 */
function consume(warp: Warp<KeyMap>, { pattern, takeMax }: Intent & { kind: 'watch' }, line: TimeLine): void {
  const changes = warp.watch(pattern, { pendingCountMax: 16 })[Symbol.asyncIterator]()
  let taken = 0
  const take = (): void => {
    changes.next().then(
      ({ done }) => {
        if (done !== true && ++taken < takeMax) line.schedule(10, take)
      },
      () => undefined,
    )
  }
  take()
}

function handleOf(
  warp: Warp<KeyMap>,
  key: string,
  options: { readonly ack: 'memory' | 'logged' | 'durable' } | undefined,
): Handle & Record<string, unknown> {
  const handle = warp.key(key) as unknown as Handle & { with(options: object): Handle } & Record<string, unknown>
  return (options === undefined ? handle : handle.with(options)) as Handle & Record<string, unknown>
}

/** Functions, and objects that cannot be copied, are handed in as they are. */
function copyOf(parameter: unknown): unknown {
  if (typeof parameter !== 'object') return parameter
  try {
    return structuredClone(parameter)
  } catch {
    return parameter
  }
}
