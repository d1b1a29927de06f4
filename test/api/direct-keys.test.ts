/** Keys for fronts that speak another protocol, where many wait for one of them. */
import { expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
import { redis } from '../../crdt/index.ts'
import { directKeys, FoldFirst } from '../../src/api/direct/direct-keys.ts'

test('a key that many wait for is folded once for all of them', async () => {
  const warp = await openWarp({ keys: { '*': redis() }, cache: { entriesMax: 1 } })
  const direct = directKeys('test', warp)
  const now = direct.env.now()
  for (let i = 0; i < 3000; i++) direct.write('list', 'push', [now, { to: 'right', values: [String(i)] }])
  direct.release('list')
  expect(() => direct.state('list')).toThrow(FoldFirst)
  const [one, other] = [direct.fold('list'), direct.fold('list')]
  expect(one).toBe(other)
  await one
  expect(direct.state('list')).toBeDefined()
  // The next one is another fold.
  expect(direct.fold('list')).not.toBe(one)
  await warp.close()
})
