/** Starts processes that import one package and end, in turns, and compares their processor time. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'
import { ROOT } from './support/results.ts'
import { formatNs } from './support/table.ts'

export const question = 'What does the first import of the package cost a process, against bentocache?'

const CONTESTANTS = {
  'Warp, warp-engine': './lib/index.js',
  'Warp, with crdt, file and mesh': './lib/index.js ./lib/crdt.js ./lib/file.js ./lib/mesh.js',
  bentocache: 'bentocache',
}

type Contestant = keyof typeof CONTESTANTS

export async function run(context: BenchContext): Promise<void> {
  spawnSync(process.execPath, [path.join(ROOT, 'tools/bundle.mjs')], { stdio: 'inherit' })
  const rounds = context.size(31, 1)
  const names = Object.keys(CONTESTANTS) as Contestant[]
  const times = new Map(names.map((name) => [name, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const name of names) times.get(name)?.push(importNs(CONTESTANTS[name]))
  }
  const medianOf = (name: Contestant): number => quantile(times.get(name) ?? [], 0.5)
  const rival = medianOf('bentocache')
  context.report(
    'processor time of the first import, without the start of Node',
    ['', 'median', '÷ bentocache'],
    names.map((name) => [name, formatNs(medianOf(name)), (medianOf(name) / rival).toFixed(2)]),
  )
  context.goal('Warp ÷ bentocache', medianOf('Warp, warp-engine') / rival, { atMost: 0.6 })
}

/** Processor time that a fresh process spends on importing these, in nanoseconds. */
function importNs(specifiers: string): number {
  const imports = specifiers
    .split(' ')
    .map(
      (specifier) =>
        `await import(${JSON.stringify(specifier.startsWith('.') ? path.join(ROOT, specifier) : specifier)})`,
    )
  const script = `const before = process.cpuUsage(); ${imports.join('; ')}; const { user, system } = process.cpuUsage(before); console.log(user + system)`
  const { stdout, status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the import of ${specifiers} failed: ${stderr}`)
  return Number(stdout) * 1000
}
