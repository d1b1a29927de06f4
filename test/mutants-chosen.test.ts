/** Which mutants a run plants when it does not plant all of them, and what the command refuses. */
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Mutant, readMutants } from '../tools/mutants/mutant-files.mjs'
import { baseOf, changedFiles, sample, seedOfCommit, touchedBy } from '../tools/mutants/selection.mjs'
import { temporaryFolder } from './support/temporary-folder.ts'
import { ROOT } from './support/tidy/source-tree.ts'

const mutant = (name: string, file: string, killer: string): Mutant => ({
  ...{ name, plants: '', fears: '', belongsTo: [], file, find: 'a', put: 'b' },
  killers: [{ file: killer, name: 'adds' }],
})
const named = (mutants: readonly Mutant[]): string[] => mutants.map(({ name }) => name)

test('a change touches the mutants that are planted in it, are to be found by it, or are in it', () => {
  const mutants = [
    mutant('planted', 'src/a.ts', 'test/b.test.ts'),
    mutant('found', 'src/b.ts', 'test/a.test.ts'),
    mutant('written', 'src/b.ts', 'test/b.test.ts'),
    mutant('other', 'src/b.ts', 'test/b.test.ts'),
  ]
  const files = new Set(['src/a.ts', 'test/a.test.ts', 'test/mutants/area/written.mutant', 'docs/other.mutant'])
  expect(named(touchedBy(mutants, files))).toEqual(['planted', 'found', 'written'])
  expect(touchedBy(mutants, new Set())).toEqual([])
})

describe('a sample', () => {
  const mutants = Array.from({ length: 500 }, (_, at) => mutant(`m${at}`, 'src/a.ts', 'test/a.test.ts'))

  test('is the same for one seed, another for the next, and as large as is asked', () => {
    const drawn = named(sample(mutants, 100, 1))
    expect(named(sample(mutants, 100, 1))).toEqual(drawn)
    expect(new Set(drawn).size).toBe(100)
    expect(named(sample(mutants, 100, 2)).filter((name) => drawn.includes(name)).length).toBeLessThan(50)
    expect([sample(mutants, 0, 1).length, sample(mutants, 501, 1).length]).toEqual([0, 500])
  })

  test('of every commit: in the end all of them have had their turn', () => {
    const seen = new Set(Array.from({ length: 60 }, (_, seed) => named(sample(mutants, 100, seed))).flat())
    expect(seen.size).toBe(500)
  })
})

describe('the change', () => {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false']
  const git = (folder: string, ...parameters: string[]): string =>
    execFileSync('git', [...identity, ...parameters], { cwd: folder, encoding: 'utf8', stdio: 'pipe' }).trim()

  /** A repository with `count` commits, each of which writes a file of its own. */
  function repository(count: number): string {
    const folder = temporaryFolder()
    git(folder, 'init', '--quiet', '--initial-branch=main')
    for (let at = 0; at < count; at++) {
      writeFileSync(path.join(folder, `f${at}`), '')
      git(folder, 'add', '.')
      git(folder, 'commit', '--quiet', '--message', String(at))
    }
    return folder
  }

  test('is what is committed, what is not yet, and what is new', () => {
    const folder = repository(3)
    writeFileSync(path.join(folder, 'f0'), 'changed')
    writeFileSync(path.join(folder, 'new'), '')
    const changed = changedFiles(folder, git(folder, 'rev-parse', 'HEAD~1'))
    expect([...changed].sort()).toEqual(['f0', 'f2', 'new'])
  })

  test('begins at WARP_BASE, where the branch left origin/main, or 30 commits ago', () => {
    const folder = repository(33)
    const at = (name: string): string => git(folder, 'rev-parse', name)
    expect(baseOf(folder, undefined)).toBe(at('HEAD~30'))
    git(folder, 'update-ref', 'refs/remotes/origin/main', 'HEAD~2')
    expect(baseOf(folder, '')).toBe(at('HEAD~2'))
    expect(baseOf(folder, 'HEAD~5')).toBe(at('HEAD~5'))
    git(folder, 'update-ref', 'refs/remotes/origin/main', 'HEAD')
    expect(baseOf(folder, undefined)).toBe(at('HEAD~30'))
    expect(() => baseOf(folder, 'nowhere')).toThrow('WARP_BASE is nowhere, which is no commit here')
  })

  test('begins at the oldest commit of a shallow clone', () => {
    const clone = path.join(temporaryFolder(), 'clone')
    git(ROOT, 'clone', '--quiet', '--depth', '2', `file://${repository(4)}`, clone)
    expect(baseOf(clone, undefined)).toBe(git(clone, 'rev-parse', 'HEAD~1'))
    expect([...changedFiles(clone, baseOf(clone, undefined))]).toEqual(['f3'])
  })

  test('has a seed, which is that of its last commit', () => {
    const folder = repository(2)
    expect(seedOfCommit(folder)).toBe(Number.parseInt(git(folder, 'rev-parse', 'HEAD').slice(0, 8), 16))
  })
})

describe('the command', () => {
  const run = (...parameters: string[]): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, ['tools/mutants.mjs', ...parameters], { cwd: ROOT, encoding: 'utf8' })

  test('lists what it takes, and what it would plant, and plants nothing', () => {
    expect(run('--help').stdout).toContain('--touched')
    expect(run('--list').stdout).toBe(`${named(readMutants(ROOT)).join('\n')}\n`)
    const drawn = run('--sample', '3', '--seed', '7', '--list')
    expect(drawn.stdout).toBe(`${named(sample(readMutants(ROOT), 3, 7)).join('\n')}\n`)
    expect(drawn.stderr).toMatch(/^seed 7: 0 touched since \w{10}, 3 of \d+ others\n$/)
  })

  test.each([
    [['--tuched'], 'Did you mean --touched?'],
    [['--sample', 'some'], 'give a whole number'],
    [['--workers', '0'], 'give at least 1'],
    [['--most', '3'], '--most says how many of --touched'],
    [['--seed', '3'], '--seed is for --touched and --sample'],
    [['cache-unbounded', '--touched'], 'give names, or --touched and --sample'],
    [['cache-unbound'], 'there is no mutant cache-unbound'],
  ])('refuses %j', (parameters, problem) => {
    const { status, stderr } = run(...parameters)
    expect([status, stderr]).toEqual([1, expect.stringContaining(problem)])
  })
})
