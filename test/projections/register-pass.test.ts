/** A rebuild reads the values of registers without folding, and sees what was seen live. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { openWarp, type Projection } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = { 'r:*': register<number | null | { readonly of: number }>() } as const

/** Key and value of each operation, in log order. */
const VALUES: Projection<string[]> = {
  name: 'values',
  initial: () => [],
  apply: (lines, { key, value }) => [...lines, `${key} ${JSON.stringify(value)}`],
}

test('also where operations arrive late, after deletes, and of null', async () => {
  const random = seededRandom('registers')
  const env = virtualEnv()
  const network = memoryNetwork({ seed: 3, env, loss: 0.2, reorder: 0.3, delayMs: 20 })
  const warps = await Promise.all(
    ['a', 'b', 'c'].map((name) =>
      openWarp({ keys, transports: [network.transport(name)], env: env.fork({ label: name }) }),
    ),
  )
  const live = await Promise.all(warps.map((warp) => warp.project(VALUES)))
  for (let i = 0; i < 200; i++) {
    const warp = random.pick(warps)
    const key = `r:${random.below(3)}` as const
    if (random.chance(0.1)) await warp.delete(key)
    else await warp.set(key, random.pick([i, null, { of: i }]))
    if (random.chance(0.3)) await env.advance(random.below(60))
  }
  await env.advance(30_000)
  for (const projection of live) {
    const seen = projection.state
    expect(seen.length).toBeGreaterThan(150)
    await projection.rebuild()
    expect(projection.state).toEqual(seen)
  }
})
