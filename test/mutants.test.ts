/** The planted faults, as far as that can be said without planting them: `npm run mutants` does that. */
import { describe, expect, test } from 'vitest'
import { type Mutant, mutantsDocument, parseMutant, planted, readMutants } from '../tools/mutants/mutant-files.mjs'
import { type TestResult, judge, unfit } from '../tools/mutants/trial.mjs'
import { parseInvariants, testTitles } from './support/tidy/invariants.ts'
import { ROOT, exists, readFile } from './support/tidy/source-tree.ts'

const mutants = readMutants(ROOT)

describe('the mutants of this tree', () => {
  test('are at least fifty', () => {
    expect(mutants.length).toBeGreaterThanOrEqual(50)
  })

  test.each(mutants)('$name fits its file as it is now', (mutant) => {
    const { text } = readFile(mutant.file)
    expect(planted(mutant, text)).not.toBe(text)
  })

  test('name tests that exist', () => {
    const titles = new Map<string, RegExp[]>()
    for (const { killers } of mutants)
      for (const { file } of killers) if (!titles.has(file)) titles.set(file, testTitles(readFile(file).text))
    const missing = mutants.flatMap(({ name, killers }) =>
      killers
        .filter((killer) => titles.get(killer.file)?.some((title) => title.test(killer.name)) !== true)
        .map((killer) => `${name}: ${killer.file} › ${killer.name}`),
    )
    expect(missing).toEqual([])
  })

  test('break invariants that are listed', () => {
    const listed = parseInvariants(readFile('docs/invariants.md').text).map(({ id }) => id)
    const cited = mutants.flatMap(({ belongsTo }) => belongsTo.filter((id) => !id.startsWith('P')))
    expect(cited.filter((id) => !listed.includes(id))).toEqual([])
  })

  test('stand in docs/mutants.md as they are', () => {
    expect(exists('docs/mutants.md') && readFile('docs/mutants.md').text).toBe(mutantsDocument(mutants))
  })
})

const TEXT = `plants: a minus for a plus
fears: tired people
belongs to: P01 P02
file: src/a.ts
killed by: test/a.test.ts › adds (%i)
--- find
a + b
--- put
a - b
`

describe('a mutant', () => {
  const mutant: Mutant = parseMutant('minus', TEXT)

  test('is read as it was written', () => {
    expect(mutant).toEqual({
      name: 'minus',
      plants: 'a minus for a plus',
      fears: 'tired people',
      belongsTo: ['P01', 'P02'],
      file: 'src/a.ts',
      killers: [{ file: 'test/a.test.ts', name: 'adds (%i)' }],
      find: 'a + b',
      put: 'a - b',
    })
  })

  test('may put nothing, and puts what it says, whatever signs are in it', () => {
    expect(planted({ ...mutant, put: '' }, '(a + b)')).toBe('()')
    expect(planted({ ...mutant, put: '$&$1' }, '(a + b)')).toBe('($&$1)')
  })

  test.each(['nothing', 'a + b and a + b'])('whose text is not there once is stale: %s', (source) => {
    expect(() => planted(mutant, source)).toThrow(/stale/)
  })

  test.each([
    ['file: src/a.ts\n', ''],
    ['killed by', 'found by'],
    [' › adds (%i)', ''],
    ['P01 P02', 'P01 Q02'],
    ['--- put', '--- replace'],
  ])('without what it needs is refused: %j', (from, to) => {
    expect(() => parseMutant('minus', TEXT.replace(from, to))).toThrow('mutants/minus.mutant')
  })
})

describe('a trial', () => {
  const passed: TestResult = { fullName: 'sums adds (1)', title: 'adds (1)', status: 'passed', failureMessages: [] }
  const file = { name: '/scratch/test/a.test.ts', status: 'passed', assertionResults: [passed] }
  const failed = (message: string): TestResult => ({
    ...passed,
    status: 'failed',
    failureMessages: [`${message}\n  at somewhere`],
  })
  const run = (...assertionResults: TestResult[]): ReturnType<typeof judge> =>
    judge({ testResults: [{ ...file, assertionResults }] })

  test('kills by an assertion or an error of ours, and names the test', () => {
    expect(run(passed, failed('AssertionError: expected 1 to be 2'))).toEqual({ kind: 'killed', by: 'adds (1)' })
    expect(run(failed('WarpError: a frame that ends early'))).toEqual({ kind: 'killed', by: 'adds (1)' })
  })

  test('that passes is survived', () => {
    expect(run(passed)).toEqual({ kind: 'survived' })
  })

  test.each([
    ['left no report', judge('the tests were not done after 90 s')],
    ['ran no test', run({ ...passed, status: 'skipped' })],
    ['names what is not there', run(failed('ReferenceError: sum is not defined'))],
    ['took too long', run(failed('Error: STACK_TRACE_ERROR'))],
    ['does not load', judge({ testResults: [{ ...file, status: 'failed', message: 'no', assertionResults: [] }] })],
  ])('that %s proves nothing', (_, verdict) => {
    expect(verdict.kind).toBe('broken')
  })

  test('rests on tests that pass without the fault', () => {
    const killers = [{ file: 'test/a.test.ts', name: 'adds (%i)' }]
    const judged = (assertionResults: TestResult[]): string[] =>
      unfit({ testResults: [{ ...file, assertionResults }] }, killers, '/scratch')
    expect(judged([passed])).toEqual([])
    expect(judged([passed, failed('Error: no')])).toEqual(['test/a.test.ts › adds (%i) fails: Error: no'])
    expect(judged([])).toEqual(['test/a.test.ts › adds (%i) does not run'])
  })
})
