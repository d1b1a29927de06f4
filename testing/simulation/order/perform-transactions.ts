/** Transactions of the users of a world with an ordered log. */
import type { Warp } from '../../../src/api/public.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { AnyTransaction } from '../../../src/strong/transactions/transaction-types.ts'
import type { Life } from '../life.ts'
import type { BalancesAnswer, ListStep, OrderIntent } from './order-intent.ts'
import { ACCOUNTS, BALANCE, DONE } from './order-keys.ts'

type Of<Kind extends OrderIntent['kind']> = Extract<OrderIntent, { readonly kind: Kind }>
type Run<Result> = (tx: AnyTransaction) => Promise<Result>

/** Its user has given it up. */
export class GivenUp extends Error {
  override readonly name = 'GivenUp'
  readonly outcome = 'failed'
}

function transaction<Result>(warp: Warp<KeyMap>, run: Run<Result>, triesMax: number): Promise<Result> {
  const begin = warp.transaction.bind(warp) as unknown as (
    run: Run<Result>,
    options: { readonly mode: 'strong'; readonly triesMax: number },
  ) => Promise<Result>
  return begin(run, { mode: 'strong', triesMax })
}

/** The first one finds no accounts, and makes them. */
export function runMove(
  warp: Warp<KeyMap>,
  { number, from, to, amount, isGivenUp, pauseMs }: Of<'move'>,
  life: Life,
): Promise<void> {
  const run: Run<void> = async (tx) => {
    const balances = (await tx.getMany([from, ...to])) as Map<string, number>
    if (pauseMs > 0) await life.after(pauseMs)
    if (!balances.has(from)) for (const account of ACCOUNTS) tx.set(account, BALANCE)
    else {
      tx.set(from, (balances.get(from) ?? 0) - amount * to.length)
      for (const account of to) tx.set(account, (balances.get(account) ?? 0) + amount)
    }
    for (const half of DONE) (tx.key(half)['add'] as (element: number) => void)(number)
    if (isGivenUp) throw new GivenUp('changed its mind')
  }
  return transaction(warp, run, 6)
}

export async function readBalances(warp: Warp<KeyMap>, { how }: Of<'balances'>, life: Life): Promise<BalancesAnswer> {
  if (how !== 'transaction') return sumOf((await warp.getMany(ACCOUNTS, { consistency: how })) as Map<string, number>)
  const run: Run<BalancesAnswer> = async (tx) => {
    const balances = new Map<string, number>()
    for (const [i, account] of ACCOUNTS.entries()) {
      if (i === ACCOUNTS.length / 2) await life.after(2)
      const balance = await tx.get(account)
      if (balance !== undefined) balances.set(account, balance as number)
    }
    return sumOf(balances)
  }
  return transaction(warp, run, 6)
}

export function sumOf(balances: ReadonlyMap<string, number>): BalancesAnswer {
  let sum = 0
  for (const balance of balances.values()) sum += balance
  return { sum, count: balances.size }
}

/** Gives the steps with what was read. */
export function runLists(
  warp: Warp<KeyMap>,
  { steps, pauseMs }: Of<'lists'>,
  life: Life,
): Promise<(readonly [string, string, unknown])[]> {
  const run: Run<(readonly [string, string, unknown])[]> = async (tx) => {
    const done: (readonly [string, string, unknown])[] = []
    for (const step of steps) {
      if (pauseMs > 0) await life.after(pauseMs)
      done.push(await takeStep(tx, step))
    }
    return done
  }
  return transaction(warp, run, 4)
}

async function takeStep(tx: AnyTransaction, [name, key, value]: ListStep): Promise<readonly [string, string, unknown]> {
  const list = ((await tx.get(key)) ?? []) as readonly number[]
  if (name === 'r') return [name, key, [...list]]
  tx.set(key, [...list, value])
  return [name, key, value]
}
