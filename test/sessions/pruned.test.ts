/** A session outlives the replicas whose writes it has seen. */
import { expect, test } from 'vitest'
import { set } from '../../crdt/index.ts'
import { closeAll } from '../support/close-all.ts'
import { comingAndGoing } from '../support/coming-and-going.ts'

test('what is pruned of a replica that has left counts as seen, and no token names it any more', async () => {
  const { env, open } = comingAndGoing({ 'set:*': { strategy: set<string>(), retain: 'latest' as const } })
  const [a, b] = [await open('a'), await open('b')]
  await env.advance(3000)
  const short = await open('short')
  await env.advance(3000)
  const session = short.session()
  const added = session.key('set:1').add('x')
  await env.advance(100)
  await added
  const { token } = session
  await env.advance(3000)
  await closeAll(env, [short])
  await env.advance(60_000)
  expect(a.replicas().filter(({ operationsCount }) => operationsCount > 0)).toHaveLength(1)
  const there = b.session(token)
  const read = there.get('set:1').catch((error: unknown) => error)
  await env.advance(10_000)
  expect(await read).toEqual(new Set(['x']))
  expect(there.token.length).toBeLessThan(token.length + 1)
  expect(b.session(there.token).token).toBe(there.token)
  await closeAll(env, [a, b])
})
