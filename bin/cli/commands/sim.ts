/** `warp sim`. */
import { writeFile } from 'node:fs/promises'
import type { FaultKind } from '../../../src/testing/simulation/fault-plan.ts'
import type { Simulated, SimulateOptions } from '../../../src/testing/simulation/simulate.ts'
import type { SimulationTotals } from '../../../src/testing/simulation/totals.ts'
import { command, type AnyCommand } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { UsageError } from '../failure.ts'
import type { Output } from '../output.ts'

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

export const SIM_COMMAND: AnyCommand = command<SimFlags>({
  name: 'sim',
  summary: 'run the engine in simulated clusters under everything that can go wrong',
  details:
    'The real engine on virtual clocks, disks and networks: each seed draws which faults strike, how often, and what users do. Afterwards all replicas ' +
    'must agree, nothing acknowledged may be gone, and every log must be sound. The same seed gives the same run. Exit code 1 if an ' +
    'invariant is violated; the scenario is then made small and told as a time line.\n\n' +
    'Faults are named as in the summary, with commas between: --faults "kill,power failure,partition". Default: all.',
  options: [
    { flags: '--seeds <n>', about: `so many seeds, from --seed on (default: ${SEEDS}; 1 with --seed)` },
    { flags: '--seed <s>', about: 'this seed, or the first one (default: 1)' },
    { flags: '--replicas <n>', about: 'machines at the beginning (default: 5)' },
    { flags: '--seconds <n>', about: 'virtual seconds of use (default: 120)' },
    { flags: '--faults <kinds>', about: 'what may go wrong, with commas between' },
    { flags: '--explain', about: 'tell what each replica did, also if nothing is wrong' },
    { flags: '--svg <file>', about: 'write the space-time diagram of the explained run to a file' },
  ],
  examples: ['sim', 'sim --seeds 500 --faults partition,kill', 'sim --seed 41 --explain --svg run.svg'],
  async run({ options, output, signal }) {
    const { simulate } = await import('../../../src/testing/simulation/simulate.ts')
    const { SimulationTotals } = await import('../../../src/testing/simulation/totals.ts')
    const { FAULT_KINDS } = await import('../../../src/testing/simulation/fault-plan.ts')
    const settings = settingsOf(options, FAULT_KINDS)
    const first = whole(options.seed, '--seed') ?? 1
    const count = whole(options.seeds, '--seeds') ?? (options.seed === undefined ? SEEDS : 1)
    const totals = new SimulationTotals()
    const progress = output.progress('simulating', 'seeds')
    try {
      for (let seed = first; seed < first + count && !signal.aborted; seed++) {
        const simulated = await simulate({ ...settings, seed })
        totals.add(simulated)
        progress.at(seed - first + 1, count)
        if (simulated.explanation === undefined) continue
        progress.end()
        await explain(simulated, options, output)
      }
    } finally {
      progress.end()
    }
    await summarise(totals, output)
    return totals.failed.length === 0 ? EXIT.ok : EXIT.no
  },
})

function settingsOf(flags: SimFlags, known: readonly FaultKind[]): SimulateOptions {
  const replicas = whole(flags.replicas, '--replicas')
  const seconds = whole(flags.seconds, '--seconds')
  const faults = flags.faults?.split(',').map((name) => faultOf(name.trim(), known))
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(faults === undefined ? {} : { faults }),
    ...(flags.explain === true || flags.svg !== undefined ? { explain: true } : {}),
  }
}

function faultOf(name: string, known: readonly FaultKind[]): FaultKind {
  const found = known.find((kind) => kind === name)
  if (found === undefined) throw new UsageError(`there is no fault '${name}'; there are ${known.join(', ')}`)
  return found
}

function whole(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`${flag} is ${text}; give a whole number of at least 1`)
  return value
}

async function explain(
  { seed, hash, violations, explanation }: Simulated,
  flags: SimFlags,
  output: Output,
): Promise<void> {
  if (explanation === undefined) return
  const { scenario, timeLine, svg } = explanation
  if (flags.svg !== undefined) await writeFile(flags.svg, svg)
  if (output.isJson) {
    await output.json({ kind: 'run', seed, hash, violations, scenario, timeLine })
    return
  }
  await output.line(timeLine)
  await output.line(`seed ${seed}, hash ${hash}, ${JSON.stringify(scenario)}`)
  for (const { invariant, message } of violations)
    await output.line(`${output.paint.red('violation')} ${invariant}: ${message}`)
}

async function summarise(totals: SimulationTotals, output: Output): Promise<void> {
  if (!output.isJson) {
    await output.line(totals.text())
    return
  }
  const { runsCount, virtualMs, callsCount, failed, exempted } = totals
  const counts = { runsCount, virtualMs, callsCount, failedSeeds: failed.map(({ seed }) => seed) }
  await output.json({ kind: 'summary', ...counts, faults: totals.faults(), notJudged: Object.fromEntries(exempted) })
}
