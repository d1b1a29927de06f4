/**
 * Histories of strong keys on real brokers: clients at three replicas, whose answers come late or
 * get lost, while servers are killed and replicas are replaced. Every history has to be linearizable.
 * `EXTENT=soak` runs 200 of them on each broker; `SEED` begins elsewhere; `HISTORIES=folder` keeps
 * each as text, for other checkers.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatHistory } from '../../../testing/history/history-text.ts'
import { checkLinearizability } from '../../../testing/linearizability/check-linearizability.ts'
import { registerModel } from '../../../testing/linearizability/models.ts'
import { byExtent } from '../../support/extent.ts'
import { describeOn } from '../../support/servers.ts'
import { type Broker, type BrokerKind, BROKERS } from './brokers.ts'
import { openReplica, type Replica, runHistory } from './run-history.ts'

const HISTORIES = byExtent({ some: 2, all: 6, soak: 200 })
const ROUNDS = byExtent({ some: 20, all: 100, soak: 1000 })
const SEED = Number(process.env['SEED'] ?? 1)
/** Of so many histories one sees a server go; the first one does. */
const SERVER_ENDS_EACH = 4
const TEST_MS = byExtent({ some: 300_000, all: 1_800_000, soak: 7_200_000 })

for (const kind of BROKERS) describeOn(kind.server, `strong keys on ${kind.title}`, () => testOn(kind))

function testOn({ server, title, start }: BrokerKind): void {
  let broker: Broker

  beforeAll(async () => {
    broker = await start()
  }, TEST_MS)
  afterAll(() => broker.close(), TEST_MS)

  test(
    'every history is linearizable, though answers are lost, servers are killed and replicas replaced',
    async () => {
      const counts = { invoke: 0, ok: 0, fail: 0, info: 0, late: 0, lost: 0, ended: 0, replaced: 0 }
      for (let i = 0; i < HISTORIES; i++) {
        const seed = SEED + i
        const { events, trouble } = await runHistory(broker, { seed, isServerEnded: i % SERVER_ENDS_EACH === 0 })
        const history = { header: { note: `${title}, seed ${seed}` }, events }
        keep(`strong-${server}-${seed}`, formatHistory(history))
        const verdict = checkLinearizability(history, registerModel)
        expect(verdict.kind === 'violation' ? `seed ${seed}: ${verdict.text}` : verdict.kind).toBe('linearizable')
        for (const { type } of events) counts[type]++
        for (const name of ['late', 'lost', 'ended', 'replaced'] as const) counts[name] += trouble[name]
      }
      const calls = `${counts.invoke} calls: ${counts.ok} ok, ${counts.fail} failed, ${counts.info} indeterminate`
      const trouble = `answers late ${counts.late} times, lost ${counts.lost}; ${counts.ended} servers ended, ${counts.replaced} replicas replaced`
      console.info(`${title}, seed ${SEED}: ${HISTORIES} histories, ${calls}; ${trouble}`)
    },
    TEST_MS,
  )

  test(
    'of six contenders that expect the same version one wins at most',
    async () => {
      const replicas = await Promise.all([0, 1, 2].map(() => openReplica(broker.order(`rounds-${SEED}`))))
      try {
        let version = 0
        for (let round = 1; round <= ROUNDS; round++) {
          const expected = { version }
          const tries = Array.from({ length: 6 }, (_, i) =>
            (replicas[i % 3] as Replica).tryCompareAndSet('k:1', expected, round * 10 + i),
          )
          const won = (await Promise.all(tries)).filter(({ kind }) => kind === 'ok')
          expect(won, `round ${round}`).toHaveLength(1)
          version = (await (replicas[round % 3] as Replica).getVersioned('k:1')).version
        }
        console.info(`${title}: ${ROUNDS} rounds of six contenders, one winner in each`)
      } finally {
        await Promise.all(replicas.map((one) => one.close()))
      }
    },
    TEST_MS,
  )
}

function keep(name: string, text: string): void {
  const folder = process.env['HISTORIES']
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, `${name}.jsonl`), text)
}
