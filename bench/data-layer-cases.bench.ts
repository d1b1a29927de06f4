/** Who serves what he should not: the acceptance cases of the data layer, with Warp and with three caches of npm. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { BenchContext } from './support/bench.ts'
import { type Case, CACHING_CASES, type CaseWorld } from './support/cases/caching-cases.ts'
import { STORING_CASES } from './support/cases/storing-cases.ts'
import { judged, type Verdict } from './support/cases/verdict.ts'
import { PrivateServer } from '../test/support/private-server.ts'
import { CONTESTANTS } from './support/rivals/contestants.ts'
import type { Contestant } from './support/rivals/contestant.ts'
import { ROOT } from './support/results.ts'

export const question = 'Who gives wrong answers where loads, writes, invalidations and failures meet?'

const CASES = [...CACHING_CASES, ...STORING_CASES]

export async function run(context: BenchContext): Promise<void> {
  const redis = await PrivateServer.startIfAny('valkey')
  const contestants = context.isSmoke ? CONTESTANTS.slice(0, 1) : CONTESTANTS
  const shared = redis === undefined ? {} : { redisUrl: redis.url }
  try {
    const rows: string[][] = []
    let rightCount = 0
    for (const one of CASES) {
      const verdicts: Verdict[] = []
      for (const contestant of contestants)
        verdicts.push(await verdictOf(one, contestant, { isPatient: context.isSmoke, ...shared }))
      const texts = verdicts.map(({ text }) => text)
      const isRight = verdicts[0]?.isRight === true
      if (isRight) rightCount++
      if (context.isSmoke) context.check(isRight, `case ${one.letter}: Warp ${texts[0] ?? ''}`)
      rows.push([`**${one.letter}** ${one.steps}`, ...texts])
    }
    context.report('what came of each case', ['', ...contestants.map(titleOf)], rows)
    context.goal('cases in which Warp is right', rightCount, { atLeast: CASES.length })
  } finally {
    await redis?.close()
  }
}

let runsCount = 0

async function verdictOf(
  one: Case,
  contestant: Contestant,
  shared: Omit<CaseWorld, 'contestant' | 'prefix'>,
): Promise<Verdict> {
  const lack = contestant.lacks[one.letter]
  if (lack !== undefined) return { isRight: true, text: `does not apply: ${lack}` }
  const needs = one.needsRedis === 'all' || (one.needsRedis === 'rivals' && contestant.name !== 'Warp')
  if (needs && shared.redisUrl === undefined) return { isRight: true, text: 'skipped: no Redis' }
  const prefix = `case-${one.letter}-${runsCount++}:`
  return judged(() => one.run({ ...shared, contestant, prefix }))
}

/** With the version, which is pinned. */
function titleOf({ name }: Contestant): string {
  const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Manifest
  return [name, manifest.devDependencies[name] ?? ''].join(' ').trim()
}

interface Manifest {
  readonly devDependencies: Readonly<Record<string, string>>
}
