import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { startWarp, warp, warpJson, warpOk } from '../../support/cli.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const SMALL = ['sim', '--replicas', '2', '--seconds', '5']

describe('warp sim', () => {
  test('runs seeds and says what happened in them', async () => {
    const text = await warpOk([...SMALL, '--seeds', '3', '--faults', 'kill,power-failure,loss'])
    expect(text).toMatch(/^ *fault +seeds +times +during writes$/m)
    expect(text).toMatch(/^ *loss +[1-3] +\d+ +\d+/m)
    expect(text).not.toContain('partition')
    expect(text).toMatch(/\nseeds: 3; virtual minutes: \d.\d; calls: \d+; no violation\n$/)
  })

  test('explains one, the same each time, as text and as a picture', async () => {
    const svg = path.join(temporaryFolder(), 'run.svg')
    const parameters = [...SMALL, '--seed', '7', '--faults', 'one-way partition', '--explain']
    const text = await warpOk([...parameters, '--svg', svg])
    expect(text).toMatch(/^seed 7: replicas: 2; virtual seconds: 5; /)
    expect(text).toMatch(/\n +\d\.\d{3} {2}○ {2}│ {3}m0 /)
    expect(text).toContain("again: warp sim --seed 7 --replicas 2 --seconds 5 --faults 'one-way partition' --explain\n")
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg /)
    const hash = /trace hash ([0-9a-f]+)/.exec(text)?.[1]
    const [run, summary] = await warpJson(parameters)
    expect(run).toMatchObject({ kind: 'run', seed: 7, hash, violations: [] })
    expect(summary).toMatchObject({ kind: 'summary', runsCount: 1, failedSeeds: [] })
  })

  test('without faults says so', async () => {
    expect(await warpOk([...SMALL, '--seed', '1', '--faults', 'none', '--explain'])).toContain('; no faults\n')
  })

  test.each([
    [['--seeds', '0'], '--seeds is 0'],
    [['--seed', 'abc'], '--seed is abc'],
    [['--replicas', '65'], 'replicas is 65; it is a whole number from 1 to 64'],
    [['--faults', 'kill,sloth'], "no fault 'sloth'; there are loss, burst loss, "],
  ])('refuses %j as a usage error', async (parameters, message) => {
    const { code, stderr } = await warp(['sim', ...parameters])
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  test('ends at once when interrupted, with what it has seen', async () => {
    const running = startWarp(['sim', '--seeds', '100000', '--replicas', '3', '--seconds', '30'])
    await running.errorLine(/^simulating: \d+ of 100000 /)
    running.signal('SIGINT')
    const { code, stdout } = await running.ended
    expect([code, stdout]).toEqual([130, expect.stringMatching(/^seeds: \d+ of 100000; /m)])
  })

  test('is interrupted in the middle of a seed', async () => {
    const running = startWarp(['sim', '--seed', '1', '--seconds', '1000000', '--faults', 'none'])
    await running.errorLine(/^simulating: 0 of 1 /)
    running.signal('SIGINT')
    const { code, stdout } = await running.ended
    expect([code, stdout]).toEqual([130, expect.stringMatching(/^seeds: 0 of 1; .*; nothing was checked\n$/)])
  })
})
