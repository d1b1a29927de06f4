/** Amounts that go from one counter to others, in one transaction on eventual keys: their sum stays what it is. */
import type { Warp } from '../../src/api/public.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { AnyTransaction } from '../../src/strong/transactions/transaction-types.ts'

export type TransferIntent =
  /** Each of `to` gets the amount. */
  | { readonly kind: 'transfer'; readonly from: string; readonly to: readonly string[]; readonly amount: number }
  /** What all of them are together, at one moment. */
  | { readonly kind: 'sum'; readonly keys: readonly string[]; readonly how: 'keys' | 'transaction' }

export function isTransferIntent(intent: { readonly kind: string }): intent is TransferIntent {
  return intent.kind === 'transfer' || intent.kind === 'sum'
}

/** The keys that it names. */
export function keysOfTransfer(intent: TransferIntent): readonly string[] {
  return intent.kind === 'sum' ? intent.keys : [intent.from, ...intent.to]
}

export function textOfTransfer(intent: TransferIntent): string {
  if (intent.kind === 'sum') return `sum of ${intent.keys.join(', ')} by ${intent.how}`
  return `${intent.from} gives ${intent.amount} to ${intent.to.join(', ')}`
}

export async function performTransfer(warp: Warp<KeyMap>, intent: TransferIntent): Promise<unknown> {
  const begin = warp.transaction.bind(warp) as unknown as <Result>(
    run: (transaction: AnyTransaction) => Result | PromiseLike<Result>,
    options: object,
  ) => Promise<Result>
  if (intent.kind === 'transfer') return begin((tx) => transfer(tx, intent), { mode: 'eventual' })
  const { keys, how } = intent
  if (how === 'keys') return sumOf(await warp.getMany(keys as never))
  return begin(async (tx) => sumOf(await tx.getMany(keys)), { mode: 'eventual' })
}

type CounterVerbs = Readonly<Record<'increment' | 'decrement', (amount: number) => void>>

function transfer(tx: AnyTransaction, { from, to, amount }: TransferIntent & { kind: 'transfer' }): void {
  const verbs = (key: string): CounterVerbs => tx.key(key) as unknown as CounterVerbs
  verbs(from).decrement(amount * to.length)
  for (const key of to) verbs(key).increment(amount)
}

function sumOf(values: ReadonlyMap<string, unknown>): number {
  return [...values.values()].reduce<number>((sum, value) => sum + Number(value), 0)
}
