/**
 * `npm run waves [-- --processes N --at-once N]`: real processes on real sockets that come in waves,
 * write, and go, most of them in order and some by `kill -9` with their disks, through three that
 * stay. In the end the three hold the same, everything that was acknowledged by those who left in
 * order, nothing twice, and name nobody else any more.
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePorts } from '../../bin/demo/replicas/free-ports.ts'
import { endWith } from './end-with.ts'
import { HauntedReplica, type Settings } from './haunted-replica.ts'
import { Ledger, type Values } from './ledger.ts'

const STAYERS = 3
const HORIZON_MS = 20_000
/** One in so many is killed and does not come back. */
const DEATH_EVERY = 10
const WRITE_MS = 2000
const CALM_MS_MAX = 240_000
const USAGE = 'npm run waves [-- --processes <n> --at-once <n>]; numbers are greater than 0'

const { values: flags } = parseArgs({
  options: { processes: { type: 'string', default: '500' }, 'at-once': { type: 'string', default: '20' } },
})
const [processes, atOnce] = [Number(flags.processes), Number(flags['at-once'])]
if (!(processes > 0) || !(atOnce > 0)) {
  console.error(USAGE)
  process.exit(2)
}

const folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'warp-waves-')))

/** What a process that dies with its disk has acknowledged need not be there. */
class Unpromised extends Ledger {
  readonly #ledger: Ledger

  constructor(ledger: Ledger) {
    super()
    this.#ledger = ledger
  }

  override take(line: string): boolean {
    return this.#ledger.take(line.replace(/^acked /, 'tried '))
  }
}

async function run(): Promise<readonly string[]> {
  console.log(`${processes} processes, ${atOnce} at once, through ${STAYERS} that stay`)
  const ledger = new Ledger()
  const stayPorts = await freePorts(STAYERS)
  const peers = stayPorts.map((port) => `127.0.0.1:${port}`)
  const common = { clusterKey: randomBytes(32).toString('hex'), peers, horizonMs: HORIZON_MS, writersCount: 1 }
  const settingsOf = (name: string, port: number): Settings => ({
    ...{ ...common, name, port, pauseMs: 250 },
    folder: path.join(folder, name),
  })
  const stayers = stayPorts.map((port, i) => new HauntedReplica(settingsOf(`stay-${i}`, port), ledger, undefined))
  await Promise.all(stayers.map((stayer) => stayer.start()))
  const violations: string[] = []
  let deathsCount = 0
  for (let begun = 0; begun < processes; begun += atOnce) {
    const ports = await freePorts(Math.min(atOnce, processes - begun))
    const wave = ports.map((port, i) => {
      const number = begun + i
      const isDying = number % DEATH_EVERY === DEATH_EVERY - 1
      if (isDying) deathsCount++
      const kept = isDying ? new Unpromised(ledger) : ledger
      return { isDying, replica: new HauntedReplica(settingsOf(`short-${number}`, port), kept, undefined) }
    })
    await Promise.all(wave.map(({ replica }) => replica.start()))
    await pause(WRITE_MS)
    await Promise.all(wave.map(({ isDying, replica }) => (isDying ? replica.kill() : replica.leave())))
    violations.push(...wave.flatMap(({ replica }) => replica.faults))
    for (const { replica } of wave) rmSync(replica.settings.folder, { recursive: true, force: true })
    console.log(`  ${begun + ports.length} have come and gone, ${deathsCount} of them were killed`)
  }
  // Those who died are waited for, and given up at the compaction behind that: the writers go on for so long.
  await pause(HORIZON_MS)
  violations.push(...(await calm(stayers, ledger)))
  await Promise.all(stayers.map((stayer) => stayer.close()))
  const { tried, acked } = ledger.counts
  console.log(`${tried} writes tried, ${acked} acknowledged; ${violations.length} violations`)
  for (const violation of violations) console.log(`  ${violation}`)
  return violations
}

/** Waits until the three agree with each other and with the ledger, and name only each other. */
async function calm(stayers: readonly HauntedReplica[], ledger: Ledger): Promise<string[]> {
  const untilMs = performance.now() + CALM_MS_MAX
  let isWriting = true
  for (;;) {
    const named = await Promise.all(stayers.map((stayer) => stayer.namedCount()))
    if (isWriting && named.every((count) => count === STAYERS)) {
      isWriting = false
      console.log(`  each of the three names ${named.join(', ')} replicas`)
      await Promise.all(stayers.map((stayer) => stayer.stopWriting()))
    }
    const all: Values[] = isWriting ? [] : await Promise.all(stayers.map((stayer) => stayer.values()))
    const wrong = all.flatMap((values, i) => ledger.violations(values).map((line) => `stay-${i}: ${line}`))
    const differing = all.flatMap((values, i) =>
      JSON.stringify(values) === JSON.stringify(all[0]) ? [] : [`stay-${i} differs from stay-0`],
    )
    if (!isWriting && wrong.length + differing.length === 0) return []
    if (performance.now() > untilMs)
      return isWriting ? [`the three name ${named.join(', ')} replicas`] : [...wrong, ...differing]
    await pause(2000)
  }
}

await endWith(run, folder)
