/**
 * Writes of a register in memory: operation, clock, log, cache and one watcher that looks at every
 * change, against a loop that copies the object into a Map; and against document CRDTs that do the
 * same writes into a map type.
 */
import * as Automerge from '@automerge/automerge'
import { LoroDoc } from 'loro-crdt'
import * as Y from 'yjs'
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import type { Contestant, Running } from './support/measure.ts'
import { type User, type UserKey, turn, uniformly, userKeys, userOf } from './support/users.ts'

export const question = 'What does a write in memory cost, against a Map and against other CRDTs?'

/** The watcher has its turn after so many writes, before it would fall behind. */
const WRITES_PER_TURN = 512

interface Writes {
  readonly keys: readonly UserKey[]
  /** The keys of one batch, in the order in which they are written. */
  readonly order: readonly UserKey[]
}

export async function run(context: BenchContext): Promise<void> {
  const keys = userKeys(context.size(100_000))
  const writes = { keys, order: uniformly(context, keys, context.size(100_000, 1000)) }
  const table = await context.compare({
    title: `writes uniform over ${keys.length.toLocaleString('en-US')} keys`,
    baseline: 'Map',
    operations: writes.order.length,
    batches: 3,
    rounds: 5,
    fresh: true,
    contestants: [
      { name: 'Map', open: () => openMap(writes) },
      warpContestant('Warp handle.set', writes, 'handle'),
      warpContestant('Warp set', writes, 'key'),
      warpContestant('Warp handle.set, each read back', writes, 'read back'),
    ],
    goals: [
      { of: 'Warp handle.set', atLeast: 1 / 3 },
      { of: 'Warp set', atLeast: 1 / 6 },
    ],
  })
  context.goal('Warp set per second', perSecond(table.rows, 'Warp set'), { atLeast: 400_000 })
  await compareDocuments(context)
}

async function compareDocuments(context: BenchContext): Promise<void> {
  // A thousand keys only: a write to an Automerge map of 10,000 takes more than 10 ms.
  const keys = userKeys(context.size(1000))
  const writes = { keys, order: uniformly(context, keys, context.size(500, 50)) }
  const others = ['Yjs', 'Loro', 'Automerge']
  await context.compare({
    title: `the same into the map type of documents, one operation each, ${keys.length.toLocaleString('en-US')} keys`,
    baseline: 'Warp set',
    operations: writes.order.length,
    batches: 2,
    rounds: 3,
    // Until everybody's code is compiled: a batch is short, for Automerge's sake.
    warmups: 8,
    contestants: [
      warpContestant('Warp set', writes, 'key'),
      { name: 'Yjs', open: () => openYjs(writes) },
      { name: 'Loro', open: () => openLoro(writes) },
      { name: 'Automerge', open: () => openAutomerge(writes) },
    ],
    goals: others.map((to) => ({ of: 'Warp set', to, atLeast: 1 })),
  })
}

/** From the table, so that what is judged is what is shown. */
function perSecond(rows: readonly (readonly string[])[], name: string): number {
  const row = rows.find(([first]) => first === name) ?? []
  return Number(row[3]?.replaceAll(',', ''))
}

function openMap({ keys, order }: Writes): Running {
  const map = new Map(keys.map((key, i) => [key, userOf(i)]))
  return writing(
    order,
    (_i, key, user) => void map.set(key, { ...user }),
    (key) => map.get(key),
  )
}

function warpContestant(name: string, writes: Writes, how: 'handle' | 'key' | 'read back'): Contestant {
  return { name, open: () => openWarpFor(writes, how) }
}

async function openWarpFor({ keys, order }: Writes, how: 'handle' | 'key' | 'read back'): Promise<Running> {
  const warp = await openWarp({ keys: { 'user:*': register<User>() }, cache: { entriesMax: keys.length } })
  const places = new Map(keys.map((key, i) => [key, i]))
  const held = keys.map((key) => warp.key(key))
  const handles = order.map((key) => held[places.get(key) ?? 0]!)
  for (const [i, key] of keys.entries()) await warp.set(key, userOf(i))
  // Held and used before, and every value in the cache.
  for (const handle of held) handle.peek()
  const seen = { count: 0, gaps: 0 }
  const watch = warp.watch('user:*')
  const consume = async (): Promise<void> => {
    for await (const { kind } of watch) {
      if (kind === 'gap') seen.gaps++
      else seen.count++
    }
  }
  void consume()
  const write = {
    handle: (i: number, _key: UserKey, user: User) => void handles[i]!.set(user),
    key: (_i: number, key: UserKey, user: User) => void warp.set(key, user),
    'read back': (i: number, _key: UserKey, user: User) => {
      void handles[i]!.set(user)
      handles[i]!.peek()
    },
  }[how]
  const running = writing(order, write, (key) => warp.peek(key))
  let written = 0
  return {
    async batch(index) {
      await running.batch(index)
      written += order.length
    },
    async verify() {
      await running.verify()
      if (seen.gaps > 0 || seen.count !== written) throw new Error(`the watcher saw ${seen.count} of ${written} writes`)
    },
    close: () => warp.close(),
  }
}

function openYjs({ keys, order }: Writes): Running {
  const doc = new Y.Doc()
  const users = doc.getMap<User>('users')
  doc.transact(() => keys.forEach((key, i) => users.set(key, userOf(i))))
  let bytes = 0
  // Without a listener Yjs makes no operation that could be sent.
  doc.on('update', (update: Uint8Array) => (bytes += update.length))
  return writing(
    order,
    (_i, key, user) => void users.set(key, user),
    (key) => (bytes > 0 ? users.get(key) : undefined),
  )
}

function openLoro({ keys, order }: Writes): Running {
  const doc = new LoroDoc()
  const users = doc.getMap('users')
  keys.forEach((key, i) => users.set(key, { ...userOf(i) }))
  doc.commit()
  let bytes = 0
  doc.subscribeLocalUpdates((update) => (bytes += update.length))
  return writing(
    order,
    (_i, key, user) => {
      users.set(key, { ...user })
      doc.commit()
    },
    (key) => (bytes > 0 ? (users.get(key) as User | undefined) : undefined),
  )
}

function openAutomerge({ keys, order }: Writes): Running {
  let doc = Automerge.from<{ users: Record<string, User> }>({ users: {} })
  doc = Automerge.change(doc, (draft) => keys.forEach((key, i) => (draft.users[key] = userOf(i))))
  return writing(
    order,
    (_i, key, user) => {
      doc = Automerge.change(doc, (draft) => void (draft.users[key] = { ...user }))
    },
    (key) => doc.users[key],
  )
}

function writing(
  order: readonly UserKey[],
  write: (i: number, key: UserKey, user: User) => void,
  read: (key: UserKey) => User | undefined,
): Running {
  const users = Array.from({ length: 1024 }, (_, i) => userOf(i * 7))
  return {
    async batch() {
      for (let i = 0; i < order.length; i++) {
        write(i, order[i]!, users[i & 1023]!)
        if (i % WRITES_PER_TURN === WRITES_PER_TURN - 1) await turn()
      }
      await turn()
    },
    verify() {
      const last = order.length - 1
      const value = read(order[last]!)
      if (value?.email !== users[last & 1023]!.email) throw new Error('the last write is not what is read')
    },
  }
}
