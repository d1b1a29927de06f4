/**
 * What a bench has found, with what is needed to judge it; and its way into the documents.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Figure } from './bench.ts'
import { type Table, formatTable } from './table.ts'

export interface Result {
  readonly bench: string
  readonly question: string
  readonly machine: Machine
  readonly tables: readonly Table[]
  readonly figures: readonly Figure[]
}

export interface Machine {
  readonly commit: string
  readonly node: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
}

/** The project's folder; this file runs as `dist/bench/support/results.js`. */
export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url))
const RESULTS = path.join(ROOT, 'bench/results')
/** Where benches have their places. */
const DOCUMENTS = ['docs/performance.md', 'docs/deployment.md'].map((name) => path.join(ROOT, name))

export function describeMachine(): Machine {
  const cpus = os.cpus()
  return {
    commit: commit(),
    node: process.version,
    cpu: cpus[0]?.model.trim() ?? 'unknown',
    cores: cpus.length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  }
}

/**
 * With a `+` when the tree holds changes that are not committed. `unknown` outside of a repository.
 */
function commit(): string {
  const git = (...parameters: string[]): string =>
    execFileSync('git', parameters, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}

export function saveResult(result: Result): void {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(path.join(RESULTS, `${result.bench}.json`), `${JSON.stringify(result, undefined, 2)}\n`)
}

export function loadResult(bench: string): Result {
  return JSON.parse(readFileSync(path.join(RESULTS, `${bench}.json`), 'utf8')) as Result
}

export function formatResult({ question, machine, tables, bench, figures }: Result): string {
  const { commit, node, cpu, cores } = machine
  const pictures = figures.map(({ name }) => `![${name}](figures/${name}.svg)`)
  const origin = `\`npm run bench -- ${bench}\` at ${commit}, Node ${node}, ${cpu}, ${cores} cores.`
  return [question, ...tables.map(formatTable), ...pictures, origin].join('\n\n')
}

/** Puts the results between their marks in the document that has them, and the figures beside it. */
export function writeDocuments(results: readonly Result[]): void {
  for (const result of results) {
    const document =
      DOCUMENTS.findLast((one) => readFileSync(one, 'utf8').includes(openMark(result.bench))) ?? DOCUMENTS[0]!
    writeFileSync(document, replaceMarked(readFileSync(document, 'utf8'), result.bench, formatResult(result)))
    for (const { name, svg } of result.figures) {
      mkdirSync(path.join(ROOT, 'docs/figures'), { recursive: true })
      writeFileSync(path.join(ROOT, 'docs/figures', `${name}.svg`), svg)
    }
  }
}

function openMark(name: string): string {
  return `<!-- bench:${name} -->`
}

/**
 * Replaces what stands between `<!-- bench:name -->` and `<!-- /bench:name -->`. Throws if the
 * marks are missing.
 */
export function replaceMarked(text: string, name: string, content: string): string {
  const [open, close] = [openMark(name), `<!-- /bench:${name} -->`]
  const start = text.indexOf(open)
  const end = text.indexOf(close)
  if (start < 0 || end < start)
    throw new Error(`docs/performance.md has no place for ${name}: add ${open} and ${close}`)
  return `${text.slice(0, start + open.length)}\n${content}\n${text.slice(end)}`
}
