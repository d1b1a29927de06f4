/**
 * Has anything become slower? Runs the benches of another revision and of this tree in turns, each
 * in a process of its own, and prints the ratio new ÷ old of every figure that is a time or a rate.
 *
 *     npm run bench:against -- REVISION [NAME...] [--rounds=5]
 *
 * The other revision is built in a folder of its own. A ratio is formed within a round, between two
 * runs that follow each other; the median over the rounds is printed. A figure that became worse by
 * more than a tenth is marked. Rows of other contestants show how much the machine itself changed
 * between the two runs: they are printed beside, and never marked.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ensureBuilt } from './built.mjs'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const WORSE_THAN = 1.1
const ROUNDS = 5
/** What a cell's unit stands for, in nanoseconds. */
const NANOSECONDS = new Map([
  ['ns', 1],
  ['µs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
])

/**
 * @typedef {{ title: string, head: string[], rows: string[][] }} Table
 * @typedef {{ name: string, isOurs: boolean, ratios: number[] }} Figure
 */

const given = process.argv.slice(2)
const [revision, ...names] = given.filter((parameter) => !parameter.startsWith('--'))
const rounds = Number(given.find((parameter) => parameter.startsWith('--rounds='))?.slice(9) ?? ROUNDS)
if (revision === undefined || !(rounds >= 1)) {
  console.error('npm run bench:against -- REVISION [NAME...] [--rounds=5]')
  process.exit(2)
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'warp-against-'))
const other = path.join(folder, 'tree')
try {
  await checkOut(revision)
  ensureBuilt()
  process.exitCode = compareAll() ? 0 : 1
} finally {
  execFileSync('git', ['worktree', 'remove', '--force', other], { cwd: ROOT, stdio: 'ignore' })
  rmSync(folder, { recursive: true, force: true })
}

/** @param {string} commit */
async function checkOut(commit) {
  execFileSync('git', ['worktree', 'add', '--detach', other, commit], { cwd: ROOT, stdio: 'ignore' })
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(other, 'node_modules'))
  const build = await import(pathToFileURL(path.join(other, 'tools/built.mjs')).href)
  build.ensureBuilt()
}

/** @returns {boolean} whether nothing became worse */
function compareAll() {
  const benches = benchesOf(ROOT).filter((bench) => benchesOf(other).includes(bench))
  const chosen = benches.filter((bench) => names.length === 0 || names.some((part) => bench.includes(part)))
  const worse = chosen.flatMap((bench) => compare(bench))
  console.log(`\n${chosen.length} benches, ${rounds} rounds; ${worse.length} figures worse than × ${WORSE_THAN}`)
  for (const line of worse) console.log(`  ${line}`)
  return worse.length === 0
}

/**
 * @param {string} bench
 * @returns {string[]} the figures that became worse
 */
function compare(bench) {
  /** @type {Map<string, Figure>} */
  const figures = new Map()
  for (let round = 0; round < rounds; round++) {
    // Who goes first alternates: the second run finds the machine as the first one left it.
    const order = round % 2 === 0 ? [other, ROOT] : [ROOT, other]
    const results = new Map(order.map((tree) => [tree, run(tree, bench)]))
    addRatios(figures, results.get(other) ?? [], results.get(ROOT) ?? [])
  }
  console.log(`\n${bench}`)
  const worse = []
  for (const { name, isOurs, ratios } of figures.values()) {
    const ratio = median(ratios)
    const isWorse = isOurs && ratio > WORSE_THAN
    console.log(`  ${ratio.toFixed(2)} ${isWorse ? 'WORSE' : isOurs ? '     ' : '(other)'} ${name}`)
    if (isWorse) worse.push(`${bench}: ${name}: ${ratio.toFixed(2)}`)
  }
  return worse
}

/**
 * @param {string} tree
 * @param {string} bench
 * @returns {Table[]}
 */
function run(tree, bench) {
  const one = path.join(tree, 'dist/bench/support/one.js')
  const { status, stderr } = spawnSync(process.execPath, ['--expose-gc', one, bench], { cwd: tree, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${bench} failed in ${tree}: ${stderr}`)
  return JSON.parse(readFileSync(path.join(tree, `bench/results/${bench}.json`), 'utf8')).tables
}

/**
 * @param {Map<string, Figure>} figures
 * @param {readonly Table[]} before
 * @param {readonly Table[]} after
 */
function addRatios(figures, before, after) {
  for (const table of after) {
    const old = before.find(({ title }) => title === table.title)
    for (const row of table.rows) addRow(figures, { table, row, old })
  }
}

/**
 * @param {Map<string, Figure>} figures
 * @param {{ table: Table, row: string[], old: Table | undefined }} pair
 */
function addRow(figures, { table, row, old }) {
  const same = old?.rows.find(([label]) => label === row[0])
  const isOurs = !table.rows.some(([label]) => label?.startsWith('Warp')) || row[0]?.startsWith('Warp') === true
  for (const [column, head] of table.head.entries()) {
    const ratio = costRatio(head, same?.[old?.head.indexOf(head) ?? -1], row[column])
    if (ratio === undefined) continue
    const name = `${table.title} › ${row[0]} › ${head}`
    const figure = figures.get(name) ?? { name, isOurs, ratios: [] }
    figure.ratios.push(ratio)
    figures.set(name, figure)
  }
}

/**
 * New ÷ old as a cost: above 1 is worse. `undefined` for cells that are neither a time nor a rate;
 * ratios to a baseline and tails are left out, for they are noise of other figures.
 *
 * @param {string} head
 * @param {string | undefined} before
 * @param {string | undefined} after
 */
function costRatio(head, before, after) {
  if (before === undefined || after === undefined || /^(×|p9)/.test(head)) return undefined
  if (/per second|\/ ?s\b/.test(head)) return ratioOf(countOf(before), countOf(after))
  return ratioOf(nanosecondsOf(after), nanosecondsOf(before))
}

/**
 * @param {number | undefined} above
 * @param {number | undefined} below
 */
function ratioOf(above, below) {
  return above === undefined || below === undefined || below === 0 ? undefined : above / below
}

/** @param {string} cell */
function nanosecondsOf(cell) {
  const [, digits = '', unit = ''] = /^([\d.,]+) ?(ns|µs|ms|s)$/.exec(cell) ?? []
  const scale = NANOSECONDS.get(unit)
  return scale === undefined ? undefined : Number(digits.replaceAll(',', '')) * scale
}

/** @param {string} cell */
function countOf(cell) {
  const digits = cell.replaceAll(',', '')
  return /^[\d.]+$/.test(digits) ? Number(digits) : undefined
}

/** @param {readonly number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** @param {string} tree */
function benchesOf(tree) {
  const folder = path.join(tree, 'bench')
  if (!existsSync(folder)) return []
  const files = readdirSync(folder).filter((file) => file.endsWith('.bench.ts'))
  return files.map((file) => file.replace(/\.bench\.ts$/, '')).sort()
}
