/** Writes of texts of 256 bytes, each contestant in a process of its own, by processor time. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'
import { ROOT } from './support/results.ts'
import { formatNs } from './support/table.ts'

export const question = 'What does a write of 256 bytes cost, alone and in a large application?'

const RIVAL = 'lru-cache set with ttl'
const ALONE = 'Warp set'
const CONTESTANTS = [
  RIVAL,
  'Warp write',
  'Warp handle.write',
  ALONE,
  'Warp handle.set',
  'Warp set, `latest`',
  'Warp set beside 300 MB',
  'Warp set beside seven other keyspaces',
] as const

type Name = (typeof CONTESTANTS)[number]

export async function run(context: BenchContext): Promise<void> {
  const keys = context.size(100_000)
  const writes = context.size(1_200_000, 400)
  const rounds = Array.from({ length: context.size(5, 1) }, () => roundOf(keys, writes))
  const medianOf = (name: Name): number =>
    quantile(
      rounds.map((round) => round[name]),
      0.5,
    )
  const ratioOf = (name: Name, to: Name): number =>
    quantile(
      rounds.map((round) => round[name] / round[to]),
      0.5,
    )
  context.report(
    `writes over ${keys.toLocaleString('en-US')} keys, processor time of all threads`,
    ['', 'median', `÷ ${RIVAL}`, `÷ ${ALONE}`],
    CONTESTANTS.map((name) => [
      name,
      formatNs(medianOf(name)),
      ratioOf(name, RIVAL).toFixed(2),
      ratioOf(name, ALONE).toFixed(2),
    ]),
  )
  context.goal(`Warp write ÷ ${RIVAL}`, ratioOf('Warp write', RIVAL), { atMost: 2 })
  context.goal('Warp set beside 300 MB ÷ alone', ratioOf('Warp set beside 300 MB', ALONE), { atMost: 1.3 })
  context.goal('Warp set beside seven other keyspaces ÷ alone', ratioOf(CONTESTANTS[7], ALONE), { atMost: 1.3 })
  return Promise.resolve()
}

/** One run of each, in turns. */
function roundOf(keys: number, writes: number): Record<Name, number> {
  const times = CONTESTANTS.map((name) => [name, writeNs(name, keys, writes)] as const)
  return Object.fromEntries(times) as Record<Name, number> // one entry for each name
}

function writeNs(name: Name, keys: number, writes: number): number {
  const program = path.join(ROOT, 'dist/bench/write-process.js')
  const parameters = ['--expose-gc', program, name, String(keys), String(writes)]
  const { stdout, status, stderr } = spawnSync(process.execPath, parameters, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`'${name}' failed: ${stderr}`)
  return (JSON.parse(stdout) as { readonly ns: number }).ns
}
