/** The model of membership keeps its invariants, and its oracle notices when a rule is missing. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { SEED } from '../../property-tests/seed.ts'

const MODEL = path.join(import.meta.dirname, 'membership.mjs')

describe('the model of membership', () => {
  it('keeps its invariants on schedules that the seed draws', async () => {
    expect(await model('--runs', '300', '--seed', String(SEED % 1_000_000))).toMatch(/300 schedules, .* no violation/)
  })

  it('finds a rule that is missing', async () => {
    await expect(model('--runs', '300', '--seed', '1', '--mutant', 'anybodyVouches')).rejects.toThrow()
  })

  it('reports what was written while its writer was away for so long that its end is forgotten', async () => {
    expect(await model('--late')).toMatch(/reported: \[ '/)
  })
})

async function model(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [MODEL, ...words])
  return stdout
}
