/** A replica that takes locks over a real log, and writes under them. Asked by tests. */
import { natsOrderedLog } from '../../../adapters/nats/index.ts'
import { openWarp, type AcquireOptions, type Lock, type Warp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { serve } from '../../support/child-program.ts'

const KEYS = { 'job:*': { strategy: register<number>(), mode: 'strong' } } as const

/** Many more than are made in the time of a lock. */
const WRITES_MAX = 20_000

type Key = `job:${string}`

/** A lock that was had, and when, by the clock of this machine. */
export interface Had {
  readonly token: number
  readonly atMs: number
}

let warp: Warp<typeof KEYS>
const locks = new Map<number, Lock>()
/** Of those that write all the time: how the writing ended. */
const hammers = new Map<Key, Promise<string>>()

const verbs = {
  async open({ servers, stream, name }: { servers: string; stream: string; name: string }): Promise<void> {
    warp = await openWarp({ keys: KEYS, order: natsOrderedLog({ servers, stream }), name })
  },

  /** Takes the lock, and writes under it at once where a key is given. The code of the refusal otherwise. */
  async acquire({ name, key, ...options }: AcquireOptions & { name: string; key?: Key }): Promise<Had | string> {
    try {
      const lock = await warp.locks.acquire(name, options)
      const atMs = Date.now()
      locks.set(lock.token, lock)
      if (key !== undefined) await warp.set(key, lock.token, { fence: lock.token })
      return { token: lock.token, atMs }
    } catch (error) {
      return codeOf(error)
    }
  },

  /** Holds the lock, which is renewed by itself, until it is lost. */
  keep: ({ name, ttlMs }: { name: string; ttlMs: number }): Promise<Had> =>
    new Promise((had, failed) => {
      const held = warp.locks.withLock(
        name,
        async ({ token, signal }) => {
          had({ token, atMs: Date.now() })
          await new Promise((lost) => signal.addEventListener('abort', lost))
        },
        { ttlMs, maxMs: 3_600_000 },
      )
      held.catch(failed)
    }),

  renew: ({ token }: Pick<Had, 'token'>): Promise<string> => outcome(() => locks.get(token)?.renew()),

  release: ({ token }: Pick<Had, 'token'>): Promise<string> => outcome(() => locks.get(token)?.release()),

  write: ({ key, token }: { key: Key; token: number }): Promise<string> =>
    outcome(() => warp.set(key, token, { fence: token })),

  /** Writes under a token, again and again until that is refused. */
  hammer({ key, token }: { key: Key; token: number }): void {
    hammers.set(
      key,
      outcomeOfMany(() => warp.set(key, token, { fence: token })),
    )
  },

  hammered: ({ key }: { key: Key }): Promise<string> | undefined => hammers.get(key),

  holders: ({ name }: { name: string }): number[] => warp.locks.info(name).holders.map(({ token }) => token),

  /** The tokens under which a key was written, in the order in which that counted here. */
  async past({ key }: { key: Key }): Promise<number[]> {
    await warp.get(key)
    const tokens: number[] = []
    for await (const { payload } of warp.log(key)) tokens.push(payload as number)
    return tokens
  },

  close: () => warp.close(),
}

/** What a test may ask this program. */
export type LockProgram = typeof verbs

serve(verbs)

async function outcome(call: () => Promise<unknown> | undefined): Promise<string> {
  try {
    await call()
    return 'ok'
  } catch (error) {
    return codeOf(error)
  }
}

async function outcomeOfMany(call: () => Promise<unknown>): Promise<string> {
  for (let i = 0; i < WRITES_MAX; i++) {
    const said = await outcome(call)
    if (said !== 'ok') return said
  }
  return 'ok'
}

function codeOf(error: unknown): string {
  if (isWarpError(error)) return error.code
  throw error
}
