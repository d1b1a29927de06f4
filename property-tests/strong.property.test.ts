/**
 * Strong keys judged from outside: eight clients call three replicas whose ordered log loses appends and answers, keeps records twice, hands
 * them over again and is cut off, while replicas are killed, lose what they had not flushed, begin anew and stand still. Whatever happens:
 * each key's history is linearizable, with what `resolve` says of unknown outcomes; of several that expect one version one wins at most; all
 * replicas come to the same values and versions, and see the same operations in the same order; nobody succeeds while the log is away; and
 * nothing takes longer than its time limit.
 */
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { byExtent } from '../test/support/extent.ts'
import { strongKeyModel } from '../testing/checkers/strong/strong-key-model.ts'
import { checkLinearizability } from '../testing/index.ts'
import { SEED } from './seed.ts'
import { type Act, Client, plain } from './strong-acts.ts'
import { StrongFleet, type Trouble } from './strong-fleet.ts'

const RUNS = byExtent({ some: 40, all: 300, soak: 5000 })
const CLIENTS = 8
const ACTING_MS = 3000
const REST_MS = 20_000

const share = (max: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.constant(0),
    fc.integer({ min: 10, max: 1000 }).map((thousandths) => (thousandths / 1000) * max),
  )

const registers = fc.constantFrom('doc:0', 'doc:1', 'doc:{x}2', 'late:0')
const brief = fc.constantFrom('brief:0', 'brief:1')
const value = fc.integer({ min: 1, max: 5 })
const ttl = fc.option(fc.constantFrom(300, 1000), { nil: undefined })
const withTtl = (act: object, ttlMs: number | undefined): object => (ttlMs === undefined ? act : { ...act, ttlMs })

const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ f: fc.constantFrom('get', 'getVersioned'), key: registers }) },
  { weight: 3, arbitrary: fc.record({ f: fc.constant('set'), key: registers, of: value }) },
  { weight: 1, arbitrary: fc.record({ f: fc.constant('delete'), key: registers }) },
  {
    weight: 5,
    arbitrary: fc.record({
      f: fc.constant('cas'),
      key: registers,
      by: fc.constantFrom('version', 'version', 'value', 'absent'),
      next: value,
    }),
  },
  { weight: 2, arbitrary: fc.record({ f: fc.constant('update'), key: registers, of: value }) },
  { weight: 2, arbitrary: fc.record({ f: fc.constantFrom('get', 'getVersioned'), key: brief }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.record({ f: fc.constant('set'), key: brief, of: value }), ttl)
      .map(([one, ms]) => withTtl(one, ms)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.record({
          f: fc.constant('cas'),
          key: brief,
          by: fc.constantFrom('version', 'value', 'absent'),
          next: value,
        }),
        ttl,
      )
      .map(([one, ms]) => withTtl(one, ms)),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      f: fc.constantFrom('increment'),
      key: fc.constantFrom('sum:0', 'sum:1'),
      of: fc.constantFrom(-1, 1, 2),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      f: fc.constantFrom('get', 'getVersioned', 'delete'),
      key: fc.constantFrom('sum:0', 'sum:1'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ f: fc.constantFrom('add', 'remove'), key: fc.constantFrom('tags:0'), of: value }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ f: fc.constantFrom('get', 'getVersioned', 'delete'), key: fc.constantFrom('tags:0') }),
  },
) as fc.Arbitrary<Act>

const atMs = fc.integer({ min: 0, max: ACTING_MS })
const forMs = fc.integer({ min: 1, max: 1500 })
const replica = fc.nat(2)

const trouble = fc.oneof(
  fc.record({
    kind: fc.constantFrom('kill', 'power failure', 'new disk', 'close', 'pause', 'compact', 'full disk'),
    replica,
    forMs,
  }),
  fc.record({ kind: fc.constant('cut'), replica: fc.oneof(replica, fc.constant('all')), forMs }),
) as fc.Arbitrary<Trouble>

const plan = fc.record({
  seed: fc.integer({ min: 1, max: 1e9 }),
  log: fc.record({
    partitions: fc.constantFrom(1, 1, 3),
    barriers: fc.constantFrom('asked' as const, 'records' as const),
    answerMs: fc.constantFrom(50, 300, 5000),
    appendsLost: share(0.3),
    answersLost: share(0.4),
    repeated: share(0.4),
    redelivered: share(0.5),
    holes: share(0.3),
    delayMs: share(60),
    jitterMs: share(60),
    slowMs: share(100),
    batchRecords: fc.constantFrom(1, 3, 512),
  }),
  acts: fc.array(fc.record({ atMs, client: fc.nat(CLIENTS - 1), replica, act }), { maxLength: 120, size: 'max' }),
  troubles: fc.array(fc.record({ atMs, trouble }), { maxLength: 8, size: 'max' }),
  lateMs: fc.tuple(atMs, atMs, atMs),
  snapshotEvery: fc.constantFrom(10, 10_000),
})

type Plan = typeof plan extends fc.Arbitrary<infer Value> ? Value : never

const totals = new Map<string, number>()

test('strong keys are what they are said to be', { timeout: 3_600_000 }, async () => {
  const property = fc.asyncProperty(plan, async (drawn) => {
    const problems = await play(drawn)
    if (problems.length > 0) throw new Error(problems.slice(0, 5).join('\n'))
  })
  await fc.assert(property, { numRuns: RUNS, seed: SEED })
})

afterAll(() => {
  process.stdout.write(`${[...totals].map(([what, count]) => `${what}: ${count}`).join(', ')}\n`)
})

async function play({ seed, log, acts, troubles, lateMs, snapshotEvery }: Plan): Promise<string[]> {
  const fleet = new StrongFleet({ seed, log, snapshotEvery })
  const { line, replicas } = fleet
  const opening = Promise.all(replicas.map((one) => one.open()))
  await drive(fleet, opening)
  const startMs = line.nowMs
  const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(i))
  // The calls of one client come one after the other.
  for (const client of clients) {
    const own = acts.filter((one) => one.client === client.index).sort((a, b) => a.atMs - b.atMs)
    const next = (i: number): void => {
      const one = own[i]
      if (one === undefined) return
      line.schedule(Math.max(0, startMs + one.atMs - line.nowMs), () => {
        const at = replicas[one.replica]!
        void fleet.call(at, client, one.act).then(() => next(i + 1))
      })
    }
    next(0)
  }
  for (const one of troubles) line.schedule(one.atMs, () => strike(fleet, one.trouble))
  replicas.forEach((one, i) => line.schedule(lateMs[i]!, () => void one.registerLate()))
  await line.advanceTo(startMs + ACTING_MS)
  await rest(fleet)
  const { problems } = fleet
  if (fleet.openCalls > 0) problems.push(`${fleet.openCalls} calls have not ended`)
  await resolveAll(fleet)
  await compare(fleet)
  const verdict = checkLinearizability(fleet.history(), strongKeyModel)
  if (verdict.kind === 'violation') problems.push(verdict.text)
  if (verdict.kind === 'undecided') fleet.count('undecided')
  for (const [what, count] of fleet.counts) totals.set(what, (totals.get(what) ?? 0) + count)
  for (const one of replicas) one.kill('kill')
  return problems
}

function strike(fleet: StrongFleet, trouble: Trouble): void {
  const { line, order } = fleet
  if (trouble.kind === 'cut') {
    const name = trouble.replica === 'all' ? undefined : `r${trouble.replica}`
    const cut = fleet.replicas.filter((one) => name === undefined || one.name === name)
    order.disconnect(name)
    for (const one of cut) one.cutAtMs ??= line.nowMs
    line.schedule(trouble.forMs, () => {
      order.reconnect(name)
      for (const one of cut) one.cutAtMs = undefined
    })
    return
  }
  const at = fleet.replicas[trouble.replica]!
  switch (trouble.kind) {
    case 'pause':
      at.pause(trouble.forMs)
      return
    case 'compact':
      at.warp?.compact().catch(() => undefined)
      return
    case 'full disk':
      at.fill()
      line.schedule(trouble.forMs, () => (at.disk.spaceBytes = Infinity))
      return
    case 'close':
      void at.close().then(() => line.schedule(trouble.forMs, () => void reopen(at)))
      return
    default:
      at.kill(trouble.kind)
      line.schedule(trouble.forMs, () => void reopen(at))
  }
}

async function reopen(at: StrongFleet['replicas'][number]): Promise<void> {
  if (at.life?.isAlive === true) return
  at.disk.spaceBytes = Infinity
  await at.open()
}

async function rest(fleet: StrongFleet): Promise<void> {
  const { line, order, replicas } = fleet
  // What was begun comes to its end first.
  await line.advanceTo(line.nowMs + 2000)
  order.troubles({
    ...{ appendsLost: 0, answersLost: 0, repeated: 0, redelivered: 0, holes: 0 },
    ...{ delayMs: 1, jitterMs: 0, slowMs: 0, batchRecords: 512 },
  })
  order.reconnect()
  for (const one of replicas) {
    order.reconnect(one.name)
    one.cutAtMs = undefined
    one.disk.spaceBytes = Infinity
    if (one.warp === undefined) void reopen(one)
  }
  await line.advanceTo(line.nowMs + REST_MS)
}

/** What became of the writes whose outcome was not known: any replica says. */
async function resolveAll(fleet: StrongFleet): Promise<void> {
  for (const { dot, settle, failed } of fleet.unknown) {
    const { warp, name } = fleet.random.pick(fleet.replicas)
    if (warp === undefined) {
      fleet.problems.push(`${name} is not up`)
      continue
    }
    try {
      const { kind } = await drive(fleet, warp.resolve(dot))
      fleet.count(`resolved ${kind}`)
      if (kind === 'ok') settle(null)
      if (kind === 'failed') failed()
    } catch (error) {
      fleet.problems.push(`${name}: resolve: ${String(error)}`)
    }
  }
}

/** All replicas show the same values and versions, and have seen the same operations of each key in the same order. */
async function compare(fleet: StrongFleet): Promise<void> {
  const { replicas, problems } = fleet
  const keys = new Set(fleet.history().events.map(({ key }) => key ?? ''))
  for (const key of keys) {
    const shown = new Set<string>()
    for (const { warp, name } of replicas) {
      if (warp === undefined) continue
      try {
        const { value, version } = await drive(fleet, warp.getVersioned(key))
        shown.add(JSON.stringify([plain(key, value), version]))
      } catch (error) {
        problems.push(`${name}: ${key} cannot be read at rest: ${String(error)}`)
      }
    }
    if (shown.size > 1) problems.push(`replicas disagree about ${key}: ${[...shown].join(' and ')}`)
    // Of keys that expire compaction keeps the last operation.
    if (key.startsWith('brief')) continue
    const seen = replicas.map((one) => one.seen.get(key) ?? { from: 0, sequences: [] })
    const longest = seen.reduce((one, other) => (other.sequences.length > one.sequences.length ? other : one)).sequences
    seen.forEach(({ from, sequences }, i) => {
      const { name, events } = replicas[i]!
      // What a snapshot held it has not seen, nor of keys that were deleted by then.
      const own = sequences.filter((sequence) => sequence > from)
      const isRestored = events.some(({ kind }) => kind === 'order:restored')
      const others = isRestored ? longest.slice(longest.length - own.length) : longest
      if (own.join() !== others.join())
        problems.push(`${name} has seen the operations ${own.join()} of ${key}, and another one ${longest.join()}`)
    })
  }
}

async function drive<Answer>({ line }: StrongFleet, asked: Promise<Answer>): Promise<Answer> {
  let isDone = false
  const end = (): void => void (isDone = true)
  asked.then(end, end)
  for (let i = 0; !isDone && i < 3000; i++) await line.advanceTo(line.nowMs + 10)
  if (!isDone) throw new Error('never answered')
  return asked
}

test('the plans have met what they are about', () => {
  const of = (what: string): number => totals.get(what) ?? 0
  const seen = ['ok', 'conflict', 'died', 'resolved ok', 'resolved failed', 'failed WARP_E_TRANSPORT']
  expect(seen.filter((what) => of(what) === 0)).toEqual([])
  const calls = [...totals].reduce((sum, [what, count]) => sum + (what.startsWith('resolved') ? 0 : count), 0)
  expect(of('indeterminate WARP_E_INDETERMINATE') / calls).toBeGreaterThan(0.05)
  expect(of('undecided')).toBe(0)
})
