/** A projection sees a state that lies in parts once, as it sees any other that compaction has made. */
import { expect, test } from 'vitest'
import { openWarp, type Projection } from '../../adapters/node/index.ts'
import { set } from '../../crdt/set.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = { 's:*': { strategy: set<string>(), retain: 'latest' } } as const

/** What it is shown: of which kind, and how many elements there are. */
function journal(name: string): Projection<string[]> {
  return {
    name,
    initial: () => [],
    apply: (lines, { key, value, operation }) => [
      ...lines,
      `${operation.kind} ${key} ${(value as ReadonlySet<string>).size}`,
    ],
  }
}

test('a large state is shown once, when a projection is built and when it is built anew', async () => {
  const warp = await openWarp({ keys, env: virtualEnv() })
  for (let i = 0; i < 6; i++) await warp.key('s:1').add(`${i}`.padEnd(900_000, '.'))
  await warp.compact()
  await warp.key('s:1').add('behind it')
  await warp.key('s:2').add('small')
  const SHOWN = ['snapshot s:1 6', 'update s:1 7', 'update s:2 1']
  const projection = await warp.project(journal('first'))
  expect(projection.state).toEqual(SHOWN)
  await projection.rebuild()
  expect(projection.state).toEqual(SHOWN)
  await warp.close()
})
