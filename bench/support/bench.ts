/** What a bench file exports, and what it is given. See bench/README.md. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Random } from '../../testing/world/random.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { type Race, race } from './measure.ts'
import { type Goal, type Table, formatCount, goalRow, standingsTable } from './table.ts'
import { type Chart, drawChart } from './svg.ts'

/** The exports of a `*.bench.ts` file. */
export interface Bench {
  /** One sentence that ends in a question mark. */
  readonly question: string
  run(context: BenchContext): Promise<void>
}

export interface Comparison extends Race {
  readonly title: string
  readonly goals?: readonly Goal[]
}

export interface Figure {
  readonly name: string
  readonly svg: string
}

const SEED = 20_111

export class BenchContext {
  /** Whether everything is done once and small, only to see that it is right. */
  readonly isSmoke: boolean
  /** Whether sizes are measured too that take long. */
  readonly isLarge: boolean
  readonly tables: Table[] = []
  readonly figures: Figure[] = []
  readonly #folders: string[] = []

  constructor(isSmoke: boolean, isLarge = false) {
    this.isSmoke = isSmoke
    this.isLarge = isLarge
  }

  /** A size of the workload: `full`, or `smoke` if this is only a smoke test. */
  size(full: number, smoke: number = Math.min(full, 100)): number {
    return this.isSmoke ? smoke : full
  }

  /**
   * Several sizes of the workload: `full`, and `large` beside them if that was asked for, or
   * `smoke`.
   */
  sizes(full: readonly number[], large: number, smoke: readonly number[]): readonly number[] {
    if (this.isSmoke) return smoke
    return this.isLarge ? [...full, large] : full
  }

  /** The same numbers in every run. */
  random(label: string): Random {
    return seededRandom(SEED).fork(label)
  }

  /** An empty folder on the disk that holds temporary files. */
  folder(): string {
    const folder = mkdtempSync(path.join(tmpdir(), 'warp-bench-'))
    this.#folders.push(folder)
    return folder
  }

  /** Races, and keeps the result as a table with a row per goal below it. */
  async compare(comparison: Comparison): Promise<Table> {
    const once = this.isSmoke ? { rounds: 1, warmups: 0, batches: 1 } : {}
    const table = standingsTable(comparison, await race({ ...comparison, ...once }))
    this.tables.push(table)
    return table
  }

  /**
   * Keeps a table of figures that no race produced: bytes, hit ratios, growth. Cells are numbers or
   * ready text.
   */
  report(title: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
    const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatCount(cell) : cell)))
    this.tables.push({ title, head, rows: cells, goals: [] })
  }

  /** Adds a goal to the last table; `value` has to be at least or at most `limit`. */
  goal(text: string, value: number, bound: { readonly atLeast: number } | { readonly atMost: number }): void {
    const table = this.tables.at(-1)
    if (table === undefined) throw new Error(`goal "${text}": report a table first`)
    table.goals.push(goalRow(text, value, bound))
  }

  /** Keeps a line chart, `docs/figures/<name>.svg` once the documents are written. */
  figure(name: string, chart: Chart): void {
    this.figures.push({ name, svg: drawChart(chart) })
  }

  /** Throws if what a bench computed is wrong. */
  check(condition: boolean, fact: string): void {
    if (!condition) throw new Error(`wrong result: ${fact}`)
  }

  /** Removes a folder before the end. */
  removeFolder(folder: string): void {
    rmSync(folder, { recursive: true, force: true })
  }

  removeFolders(): void {
    for (const folder of this.#folders) this.removeFolder(folder)
  }
}
