/** What is said of work that takes long, and with which colours. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { paintFor } from '../../../bin/cli/output/colour.ts'
import { startProgress } from '../../../bin/cli/output/progress.ts'

describe('progress', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  function begin(isTTY: boolean) {
    const said: string[] = []
    const terminal = { isTTY, write: (text: string) => said.push(text) }
    return { said, progress: startProgress(terminal, 'reading ./data', 'operations') }
  }

  test('what ends within a second says nothing', () => {
    const { said, progress } = begin(true)
    vi.advanceTimersByTime(999)
    progress.end()
    vi.advanceTimersByTime(60_000)
    expect(said).toEqual([])
  })

  test('elsewhere than on a terminal it is a line every five seconds', () => {
    const { said, progress } = begin(false)
    progress.at(10, 40)
    vi.advanceTimersByTime(1000)
    progress.at(30, 40)
    vi.advanceTimersByTime(5000)
    progress.end()
    expect(said).toEqual([
      'reading ./data: 10 of 40 (25 %) operations, 1 s\n',
      'reading ./data: 30 of 40 (75 %) operations, 6 s\n',
    ])
  })

  test('on a terminal it is a line that rewrites itself and goes away', () => {
    const { said, progress } = begin(true)
    vi.advanceTimersByTime(1200)
    progress.end()
    progress.end()
    expect(said).toEqual(['\r\x1b[Kreading ./data: 1 s', '\r\x1b[Kreading ./data: 1 s', '\r\x1b[K'])
  })
})

describe('colour', () => {
  test.each([
    ['a terminal', { isTTY: true }, {}, '\x1b[31mno\x1b[0m'],
    ['a pipe', {}, {}, 'no'],
    ['a terminal with NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, 'no'],
    ['a terminal that has none', { isTTY: true }, { TERM: 'dumb' }, 'no'],
  ])('%s', (_, stream, env, expected) => {
    expect(paintFor(stream, env).red('no')).toBe(expected)
  })
})
