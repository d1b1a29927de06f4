import { expect, test } from 'vitest'
import { openWarp, type KeyMap } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'

const strategy = register<number>()

test.each<[string, unknown, string]>([
  ['no patterns', {}, 'WARP_E_CONFIG'],
  ['an empty pattern', { '': strategy }, 'WARP_E_PATTERN'],
  ['an ambiguity', { '*:x*': strategy, '*x:*': strategy }, 'WARP_E_PATTERN'],
  ['strong mode without an ordered log', { '*': { strategy, mode: 'strong' } }, 'WARP_E_LINEARIZABLE_UNSUPPORTED'],
  ['an unknown mode', { '*': { strategy, mode: 'weak' } }, 'WARP_E_CONFIG'],
  ['a negative time to live', { '*': { strategy, ttlMs: -1 } }, 'WARP_E_CONFIG'],
  ['a time to live that is no number', { '*': { strategy, ttlMs: Number.NaN } }, 'WARP_E_CONFIG'],
  ['an unknown kind of time to live', { '*': { strategy, ttlMs: 1, ttl: 'eternal' } }, 'WARP_E_CONFIG'],
  ['no versions to retain', { '*': { strategy, retain: { versions: 0 } } }, 'WARP_E_CONFIG'],
  ['an unknown retention', { '*': { strategy, retain: 'some' } }, 'WARP_E_CONFIG'],
  ['an empty retention', { '*': { strategy, retain: {} } }, 'WARP_E_CONFIG'],
  ['nothing', { '*': undefined }, 'WARP_E_CONFIG'],
  ['null', { '*': null }, 'WARP_E_CONFIG'],
  ['options without a strategy', { '*': { ttlMs: 1 } }, 'WARP_E_CONFIG'],
  ['a code beyond a byte', { '*': { ...strategy, code: 256 } }, 'WARP_E_CONFIG'],
  ['a code of nobody', { '*': { ...strategy, code: 0 } }, 'WARP_E_CONFIG'],
  ['an unknown fold', { '*': { ...strategy, fold: 'some' } }, 'WARP_E_CONFIG'],
  ['an unknown delete rule', { '*': { ...strategy, deletes: 'never' } }, 'WARP_E_CONFIG'],
  ['ordered deletes of what folds in any order', { '*': { ...counter(), deletes: 'ordered' } }, 'WARP_E_CONFIG'],
  ['a verb that handles have', { '*': { ...counter(), verbs: { then: () => 1 } } }, 'WARP_E_CONFIG'],
  ['a query that handles have', { '*': { ...counter(), queries: { slot: () => 1 } } }, 'WARP_E_CONFIG'],
])('what makes no sense is refused at open: %s', async (_name, keys, code) => {
  await expect(openWarp({ keys: keys as KeyMap })).rejects.toMatchObject({ code })
})

test('the most specific pattern gives a key its strategy', async () => {
  const warp = await openWarp({ keys: { '*': register<number>(), 'a:*': counter(), 'a:b': register<string>() } })
  await warp.key('a:1').increment(2)
  await warp.set('a:b', 'x')
  await warp.set('z', 1)
  expect([warp.peek('a:1'), warp.peek('a:b'), warp.peek('z')]).toEqual([2, 'x', 1])
  await warp.close()
})
