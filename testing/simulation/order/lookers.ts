/**
 * Whoever looks at an engine for as long as it lives: at the accounts a watch that is told in batches, and
 * a projection, whose sums are written down where they have changed; at what is written under fences a
 * projection, which says where a token falls.
 */
import type { Warp } from '../../../src/api/public.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { Life } from '../life.ts'
import { codeOf } from '../machine.ts'
import type { RunHistory } from '../report/run-history.ts'
import { ACCOUNTS, tokenOf } from './order-keys.ts'
import { sumOf } from './perform-transactions.ts'

const PATTERN = 'account:*'
/** Few, so that a watch that lags is told of gaps. */
const PENDING_MAX = 3 * ACCOUNTS.length
const LOOK_MS = 200

export interface Lookout {
  readonly machine: string
  readonly warp: Warp<KeyMap>
  readonly life: Life
  readonly history: RunHistory
  readonly nowMs: () => number
}

/** They end with the process, or with what the engine tells them. */
export function look(at: Lookout): void {
  for (const looking of [watch(at), project(at), followJobs(at)])
    looking.then(
      () => at.history.count('lookers ended'),
      (error: unknown) => at.history.count(`lookers ended with ${codeOf(error)}`),
    )
}

async function followJobs({ warp, history, machine }: Lookout): Promise<void> {
  await warp.project({
    ...{ name: 'tokens of all jobs', keys: 'job:*', initial: () => new Map<string, number>() },
    apply: (tokens: Map<string, number>, { key, value }) => {
      const [before, token] = [tokens.get(key) ?? 0, tokenOf(value as string)]
      if (token < before) history.outOfOrder.push({ machine, key, tokens: [before, token] })
      return tokens.set(key, token)
    },
  })
}

async function watch(at: Lookout): Promise<void> {
  const watching = at.warp.watch(PATTERN, { pendingCountMax: PENDING_MAX })
  let balances = await snapshot(at.warp)
  for await (const { changes } of watching.batches()) {
    for (const change of changes) {
      if (change.kind === 'gap') {
        at.history.count('gaps of watches of accounts')
        balances = await snapshot(at.warp)
      } else if (change.kind === 'value') balances.set(change.key, change.value as number)
    }
    note(at, 'watch', balances)
    // A consumer that takes its time.
    await at.life.after(changes.length)
  }
}

async function snapshot(warp: Warp<KeyMap>): Promise<Map<string, number>> {
  return new Map((await warp.getMany(ACCOUNTS, { consistency: 'stale' })) as Map<string, number>)
}

async function project(at: Lookout): Promise<void> {
  const projection = await at.warp.project({
    ...{ name: 'balances of all accounts', keys: PATTERN, initial: () => new Map<string, number>() },
    apply: (balances: Map<string, number>, { key, value }) => balances.set(key, value as number),
  })
  for (let last = ''; ;) {
    const text = [...projection.state.values()].join()
    if (text !== last) note(at, 'projection', projection.state)
    last = text
    await at.life.after(LOOK_MS)
  }
}

function note({ history, machine, nowMs }: Lookout, by: string, balances: ReadonlyMap<string, number>): void {
  history.sums.push({ atMs: nowMs(), machine, by, ...sumOf(balances) })
}
