/** Replicas on one virtual time line, with a network and an ordered log in memory, for tests of sessions. */
import { memoryNetwork, memoryOrderedLog } from '../../adapters/memory/index.ts'
import { openWarp, type Warp } from '../../adapters/node/index.ts'
import { counter, register, set } from '../../crdt/index.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

export const KEYS = {
  'r:*': register<string>(),
  'c:*': counter(),
  'seen:*': set<string>(),
  'own:*': { strategy: register<string>(), mode: 'local' },
  'page:*': { strategy: register<string>(), load: (key: string) => `${key} loaded` },
  'stock:*': { strategy: register<number>(), mode: 'strong' },
  'hits:*': { strategy: counter(), mode: 'strong' },
} as const

export interface SessionWorld {
  readonly env: VirtualEnv
  readonly network: ReturnType<typeof memoryNetwork>
  readonly order: ReturnType<typeof memoryOrderedLog>
  readonly a: Warp<typeof KEYS>
  readonly b: Warp<typeof KEYS>
  readonly until: <Result>(promise: Promise<Result>, limitMs?: number) => Promise<Result>
  readonly open: (name: string) => Promise<Warp<typeof KEYS>>
  readonly close: () => Promise<void>
}

export async function sessionWorld(seed = 1, partitions = 1): Promise<SessionWorld> {
  const env = virtualEnv({ seed })
  const network = memoryNetwork({ env, seed })
  const order = memoryOrderedLog({ env, partitions })
  const opened: Warp<typeof KEYS>[] = []
  const open = async (name: string): Promise<Warp<typeof KEYS>> => {
    const warp = await openWarp({
      ...{ keys: KEYS, name, order: order.named(name), env: env.fork({ label: name }) },
      transports: [network.transport(name)],
    })
    opened.push(warp)
    return warp
  }
  const until: SessionWorld['until'] = async (promise, limitMs = 60_000) => {
    let isSettled = false
    const noted = promise.finally(() => (isSettled = true))
    noted.catch(() => undefined)
    for (let ms = 0; !isSettled && ms < limitMs; ms += 20) await env.advance(20)
    if (!isSettled) throw new Error(`nothing came of it within ${limitMs} virtual ms`)
    return noted
  }
  const [a, b] = [await open('a'), await open('b')]
  await env.advance(2000)
  return { env, network, order, a, b, until, open, close: () => closeAll(env, opened) }
}
