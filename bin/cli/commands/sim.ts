/** `warp sim`. */
import { writeFile } from 'node:fs/promises'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { Violation } from '../../../testing/checkers/checker.ts'
import type { FaultKind } from '../../../testing/simulation/faults/fault-plan.ts'
import type { Explanation, Simulated, SimulateOptions } from '../../../testing/simulation/simulate.ts'
import type { SimulationTotals } from '../../../testing/simulation/report/totals.ts'
import { command, type AnyCommand } from '../program/command.ts'
import { EXIT } from '../program/exit-codes.ts'
import { UsageError } from '../program/failure.ts'
import type { Output } from '../output/output.ts'

interface SimFlags {
  readonly seed?: string
  readonly seeds?: string
  readonly replicas?: string
  readonly seconds?: string
  readonly faults?: string
  readonly explain?: boolean
  readonly svg?: string
}

const SEEDS = 20
const VIOLATIONS_SHOWN_MAX = 8

export const SIM_COMMAND: AnyCommand = command<SimFlags>({
  name: 'sim',
  summary: 'run the engine in simulated clusters under everything that can go wrong',
  details:
    'The real engine on virtual clocks, disks and networks: each seed draws which faults strike, how often, and what users do. Afterwards all replicas ' +
    'must agree, nothing acknowledged may be gone, and every log must be sound. The same seed gives the same run. Exit code 1 if an ' +
    'invariant is violated; the scenario is then made small, which takes some dozens of runs, and told as a time line. Invariants ' +
    'have the numbers of docs/invariants.md.\n\n' +
    'Faults are named as in the summary, with commas between: --faults kill,power-failure,partition. Each seed draws some of them. ' +
    'Default: all. --faults none is a quiet day, and a name that does not exist lists those that do. For keys, users and invariants of your own ' +
    'there is simulate, of warp-engine/testing.',
  options: [
    { flags: '--seeds <n>', about: `so many seeds, from --seed on (default: ${SEEDS}; 1 with --seed)` },
    { flags: '--seed <n>', about: 'this seed, or the first one (default: 1)' },
    { flags: '--replicas <n>', about: 'machines at the beginning (default: 5)' },
    { flags: '--seconds <n>', about: 'virtual seconds of use (default: 120)' },
    { flags: '--faults <kinds>', about: 'what may go wrong, with commas between' },
    { flags: '--explain', about: 'tell what each replica did, also if nothing is wrong' },
    { flags: '--svg <file>', about: 'explain, and write the space-time diagram of the run to a file' },
  ],
  examples: ['sim', 'sim --seeds 500 --faults partition,kill', 'sim --seed 41 --explain --svg run.svg'],
  async run({ options, output, signal }) {
    const { simulate } = await import('../../../testing/simulation/simulate.ts')
    const { SimulationTotals } = await import('../../../testing/simulation/report/totals.ts')
    const { FAULT_KINDS } = await import('../../../testing/simulation/faults/fault-plan.ts')
    const settings = settingsOf(options, FAULT_KINDS)
    const first = whole(options.seed, '--seed') ?? 1
    const count = whole(options.seeds, '--seeds') ?? (options.seed === undefined ? SEEDS : 1)
    const totals = new SimulationTotals()
    let progress = output.progress('simulating', 'seeds')
    let isViolated = false
    try {
      for (let seed = first; seed < first + count && !signal.aborted; seed++) {
        progress.at(seed - first, count)
        const simulated = await simulate({ ...settings, seed, signal })
        totals.add(simulated)
        if (simulated.explanation === undefined) continue
        progress.end()
        await explain(simulated, simulated.explanation, { options, output })
        progress = output.progress('simulating', 'seeds')
      }
    } catch (error) {
      progress.end()
      isViolated = asInterrupted(error, output)
    } finally {
      progress.end()
    }
    await summarise(totals, count, output)
    if (isViolated || totals.failed.length > 0) return EXIT.no
    return signal.aborted ? undefined : EXIT.ok
  },
})

/**
 * Who interrupts wants what there is so far. Whether the seed that was given up has violated
 * something; then it was only being made small.
 */
function asInterrupted(error: unknown, output: Output): boolean {
  // Numbers come from the command line.
  if (isWarpError(error, 'WARP_E_CONFIG')) throw new UsageError(error.message)
  if (!isWarpError(error, 'WARP_E_ABORTED')) throw error
  const isViolated = error.details['invariant'] !== undefined
  if (isViolated) output.note(error.message)
  return isViolated
}

function settingsOf(flags: SimFlags, known: readonly FaultKind[]): SimulateOptions {
  const replicas = whole(flags.replicas, '--replicas')
  const seconds = whole(flags.seconds, '--seconds')
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(flags.faults === undefined ? {} : { faults: faultsOf(flags.faults, known) }),
    ...(flags.explain === true || flags.svg !== undefined ? { explain: true } : {}),
  }
}

function faultsOf(text: string, known: readonly FaultKind[]): readonly FaultKind[] {
  return text.trim() === 'none' ? [] : text.split(',').map((name) => faultOf(name.trim(), known))
}

/** Blanks may be hyphens, which need no quotes in a shell. */
function faultOf(name: string, known: readonly FaultKind[]): FaultKind {
  const found = known.find((kind) => kind === name || kind.replaceAll(' ', '-') === name)
  if (found === undefined) throw new UsageError(`--faults: there is no fault '${name}'; there are ${known.join(', ')}`)
  return found
}

function whole(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new UsageError(`${flag} is ${text}; give a whole number of at least 1`)
  return value
}

interface Shown {
  readonly options: SimFlags
  readonly output: Output
}

async function explain(run: Simulated, explanation: Explanation, { options, output }: Shown): Promise<void> {
  const { seed, hash, violations, isClean } = run
  const { scenario, timeLine, svg } = explanation
  if (options.svg !== undefined) await writeFile(options.svg, svg)
  if (output.isJson) {
    await output.json({ kind: 'run', seed, hash, violations, scenario, timeLine })
    return
  }
  await output.line(`seed ${seed}${isClean ? '' : ', made small'}: ${scenarioText(scenario)}\n`)
  await output.line(`${timeLine}\n`)
  for (const line of violationLines(explanation.violations))
    await output.line(`${output.paint.red('violation')} ${line}`)
  await output.line(`seed ${seed}, trace hash ${hash}; again: ${again(run, options)}\n`)
}

function scenarioText({ replicas, seconds, callsPerSecond, faults }: Explanation['scenario']): string {
  const calls = callsPerSecond === undefined ? [] : [`${callsPerSecond} calls a second`]
  const named = faults.length === 0 ? 'no faults' : `faults: ${faults.join(', ')}`
  return [`replicas: ${replicas}`, `virtual seconds: ${seconds}`, ...calls, named].join('; ')
}

/** Not one for each key of each machine. */
function violationLines(violations: readonly Violation[]): string[] {
  const lines = violations.map(({ invariant, message }) => `${invariant}: ${message}`)
  const more = lines.length - VIOLATIONS_SHOWN_MAX
  return more > 0 ? [...lines.slice(0, VIOLATIONS_SHOWN_MAX), `and ${more} more`] : lines
}

function again({ seed }: Simulated, { replicas, seconds, faults }: SimFlags): string {
  const words = [`warp sim --seed ${seed}`]
  if (replicas !== undefined) words.push(`--replicas ${replicas}`)
  if (seconds !== undefined) words.push(`--seconds ${seconds}`)
  if (faults !== undefined) words.push(`--faults '${faults}'`)
  return [...words, '--explain'].join(' ')
}

async function summarise(totals: SimulationTotals, asked: number, output: Output): Promise<void> {
  const { runsCount, virtualMs, callsCount, failed, exempted } = totals
  const failedSeeds = failed.map(({ seed }) => seed)
  if (output.isJson) {
    const counts = { runsCount, virtualMs, callsCount, failedSeeds }
    await output.json({ kind: 'summary', ...counts, faults: totals.faults(), notJudged: Object.fromEntries(exempted) })
    return
  }
  const met = totals.faults().filter(({ runsCount: runs }) => runs > 0)
  const rows = met.map((one) => [one.kind, one.runsCount, one.count, one.duringWritesCount].map(String))
  await output.table(['fault', 'seeds', 'times', 'during writes'], rows)
  for (const [why, count] of [...exempted].sort()) await output.line(`not judged, ${count} times: ${why}`)
  const seeds = runsCount === asked ? `${runsCount}` : `${runsCount} of ${asked}`
  const none = runsCount === 0 ? 'nothing was checked' : 'no violation'
  const verdict = failed.length === 0 ? none : output.paint.red(`violated by: ${failedSeeds.join(', ')}`)
  await output.line(
    `seeds: ${seeds}; virtual minutes: ${(virtualMs / 60_000).toFixed(1)}; calls: ${callsCount}; ${verdict}`,
  )
}
