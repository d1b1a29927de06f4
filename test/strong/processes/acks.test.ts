/**
 * Writes that wait for replicas in two zones, between real processes over a real NATS: one replica stands still, and
 * whoever has acknowledged is killed, comes back with its folder or without, and takes nothing with it.
 */
import { rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { replayLog } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { ChildProgram } from '../../support/child-program.ts'
import { byExtent } from '../../support/extent.ts'
import { NatsServers } from '../../support/nats-servers.ts'
import { describeOn } from '../../support/servers.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { ACKED_KEYS, type AckedKey } from './acked-keys.ts'
import type { AcksProgram } from './acks-process.ts'

const ROUNDS = byExtent({ some: 5, all: 20, soak: 200 })
const SEED = Number(process.env['SEED'] ?? 1)
const TEST_MS = byExtent({ some: 300_000, all: 600_000, soak: 5_400_000 })
const ACKS = { replicas: 2, zones: 2, level: 'logged' } as const

/** A replica that is killed and started again at its place. */
class Place {
  readonly name: string
  readonly #zone: string
  readonly #servers: string
  readonly folder: string
  /** What its processes have said to be acknowledged. */
  readonly acked: AckedKey[] = []
  program!: ChildProgram<AcksProgram>

  constructor(servers: string, name: string, zone: string) {
    this.#servers = servers
    this.name = name
    this.#zone = zone
    this.folder = path.join(temporaryFolder(), name)
  }

  async start(): Promise<void> {
    const onLine = (line: string): void => void this.acked.push(line.split(' ')[1] as AckedKey)
    this.program = new ChildProgram<AcksProgram>('test/strong/processes/acks', { onLine })
    await this.program.ask('open', {
      ...{ servers: this.#servers, name: this.name, zone: this.#zone, folder: this.folder },
    })
  }

  /** Settles when all that it said has been read. */
  async kill(): Promise<void> {
    await this.program.end('SIGKILL')
    await this.program.ended
  }

  /** Which of these its folder does not hold, read from its bytes while nobody runs there. */
  async lacks(keys: readonly AckedKey[]): Promise<AckedKey[]> {
    const values = new Map<string, unknown>()
    const nothing = { 'nothing:*': register<number>() }
    for await (const { key, before } of replayLog({
      ...{ log: fileLog({ path: this.folder }), keys: ACKED_KEYS, with: nothing },
    }))
      values.set(key, before.value)
    return keys.filter((key) => values.get(key) !== Number(key.split(':')[1]))
  }
}

async function started<Zones extends readonly string[]>(...zones: Zones): Promise<{ [I in keyof Zones]: Place }> {
  const servers = await NatsServers.single()
  onTestFinished(() => servers.close())
  const places = zones.map((zone, i) => new Place(servers.node.url, `r${i}`, zone))
  onTestFinished(async () => {
    await Promise.all(places.map(({ program }) => program.end('SIGKILL')))
  })
  await Promise.all(places.map((place) => place.start()))
  await Promise.all(places.map(({ program }) => program.ask('sees', { count: zones.length - 1 })))
  return places as { [I in keyof Zones]: Place }
}

describeOn('nats', 'writes that wait for replicas in two zones', () => {
  test.each(['stock:1', 'order:1'] as const)(
    'while one stands still the write of %s waits for it: it ends by its time, its signal, or when that goes on',
    async (key) => {
      const [a, near, far] = await started('x', 'x', 'y')
      const { program } = a
      await far.program.stop()
      await program.ask('begin', { id: 'all', key, acks: ACKS })
      await program.ask('begin', { id: 'signalled', key, acks: ACKS })
      await program.ask('begin', { id: 'timed', key, acks: { ...ACKS, timeoutMs: 1000 } })
      await program.ask('begin', { id: 'three', key, acks: { ...ACKS, replicas: 3, zones: 1, timeoutMs: 1000 } })
      // The other one of its zone holds it.
      await program.ask('begin', { id: 'near', key, acks: { ...ACKS, zones: 1 } })
      expect(await program.ask('end', { id: 'near' })).toMatchObject({ acks: { replicas: 2, zones: 1 } })
      const timed = { code: 'WARP_E_ZONES', outcome: 'indeterminate', message: expect.stringMatching(/r2/) as string }
      expect(await program.ask('end', { id: 'timed' })).toMatchObject(timed)
      expect(await program.ask('end', { id: 'three' })).toMatchObject({ ...timed, code: 'WARP_E_QUORUM' })
      await program.ask('abort', { id: 'signalled' })
      expect(await program.ask('end', { id: 'signalled' })).toMatchObject({
        ...{ code: 'WARP_E_ABORTED', outcome: 'indeterminate' },
      })
      // It counts, and nobody says so before it is held in the other zone.
      for (const one of [a, near]) expect(await one.program.ask('value', { key })).toBe(1)
      expect(await program.ask('ended', { id: 'all' })).toBeUndefined()
      far.program.go()
      expect(await program.ask('end', { id: 'all' })).toMatchObject({ acks: { replicas: 2, zones: 2 } })
      expect(await far.program.ask('value', { key })).toBe(1)
    },
    TEST_MS,
  )

  test(
    'whoever has acknowledged and is killed takes nothing with it, whether it comes back with its folder or without',
    async () => {
      const random = seededRandom(SEED)
      const places = await started('x', 'y')
      const counts = { acked: 0, kills: 0, withoutFolder: 0 }
      for (let round = 1; round <= ROUNDS; round++) {
        const said = `seed ${SEED}, round ${round}`
        const [writer, other] = random.chance(0.5) ? places : ([places[1], places[0]] as const)
        const isAlive = new Set<Place>(places)
        await writer.program.ask('load', { first: round * 100_000, acks: ACKS })
        const enough = writer.acked.length + random.below(100)
        while (writer.acked.length < enough) await pause(1)
        const killed = random.pick([[other], [other], [writer], [writer, other]])
        await Promise.all(killed.map((place) => place.kill()))
        for (const place of killed) isAlive.delete(place)
        counts.kills += killed.length
        // Nobody else could acknowledge: so each of the two holds it, on disk.
        const acked = places.flatMap((place) => place.acked)
        for (const place of killed) expect(await place.lacks(acked), `${said}, folder of ${place.name}`).toEqual([])
        for (const place of isAlive)
          expect(await place.program.ask('lost', { keys: acked }), `${said}, ${place.name}`).toEqual([])
        if (random.chance(0.4)) {
          counts.withoutFolder++
          rmSync(random.pick(killed).folder, { recursive: true })
        }
        await Promise.all(killed.map((place) => place.start()))
        await Promise.all(places.map(({ program }) => program.ask('sees', { count: 1 })))
        if (isAlive.has(writer)) await writer.program.ask('rest')
        counts.acked = places[0].acked.length + places[1].acked.length
        for (const place of places)
          await expect.poll(() => place.program.ask('lost', { keys: acked }), { timeout: 60_000 }).toEqual([])
      }
      console.info(JSON.stringify(counts))
      await Promise.all(places.map(({ program }) => program.ask('close')))
      expect(counts.acked).toBeGreaterThan(ROUNDS * 10)
    },
    TEST_MS,
  )
})
