/** Options are checked wherever they are given: one that does not exist is refused, not ignored. */
import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { meshTransport } from '../../adapters/mesh/index.ts'
import { checkLog, defineKeys, openWarp, replayLog } from '../../adapters/node/index.ts'
import { boundedCounter } from '../../crdt/bounded-counter.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { simulate } from '../../testing/index.ts'
import { refusalOf } from '../support/refusal-of.ts'

const keys = defineKeys({ 'user:*': custom<readonly string[]>((old, next) => [...old, ...next]) })
/** As a caller writes it that no compiler checks. */
const anything = (options: object): never => options as never

test.each([
  [
    'openWarp',
    () => openWarp(anything({ keys, cahce: {} })),
    "openWarp: there is no option 'cahce'; did you mean 'cache'?",
  ],
  ['cache', () => openWarp(anything({ keys, cache: { entryMax: 1 } })), "'entryMax'; did you mean 'entriesMax'?"],
  [
    'replication',
    () => openWarp(anything({ keys, transports: [memoryNetwork().transport('a')], replication: { horizon: 1 } })),
    "'horizon'; did you mean 'horizonMs'?",
  ],
  [
    'replication without transports',
    () => openWarp(anything({ keys, replication: { horizon: 1 } })),
    "'horizon'; did you mean 'horizonMs'?",
  ],
  [
    'a key pattern',
    () => openWarp({ keys: anything({ '*': { strategy: counter(), ttl_ms: 5 } }) }),
    "the key pattern '*': there is no option 'ttl_ms'; did you mean 'ttlMs'?",
  ],
  [
    'an option with a word too many',
    () => openWarp(anything({ keys, copies: { cacheBytesMax: 5 } })),
    "'cacheBytesMax'; did you mean 'bytesMax'?",
  ],
  [
    'a key pattern without its strategy',
    () => openWarp({ keys: anything({ '*': { stratgy: counter() } }) }),
    "'stratgy'; did you mean 'strategy'?",
  ],
  [
    'a retention',
    () => openWarp({ keys: anything({ '*': { strategy: counter(), retain: { versions: 1, forMS: 1 } } }) }),
    "the key pattern '*': retain: there is no option 'forMS'",
  ],
  ['fileLog', () => fileLog(anything({ path: 'x', readonly: true })), "'readonly'; did you mean 'readOnly'?"],
  ['meshTransport', () => meshTransport(anything({ clusterkey: 'x' })), "'clusterkey'; did you mean 'clusterKey'?"],
  [
    'multicast',
    () => meshTransport(anything({ insecure: true, multicast: { gruop: 'x' } })),
    "'gruop'; did you mean 'group'?",
  ],
  ['memoryNetwork', () => memoryNetwork(anything({ delay: 1 })), "'delay'; did you mean 'delayMs'?"],
  [
    'a link',
    () =>
      memoryNetwork()
        .link('a', 'b')
        .set(anything({ los: 1 })),
    "'los'; did you mean 'loss'?",
  ],
  ['simulate', () => simulate(anything({ second: 1 })), "'second'; did you mean 'seconds'?"],
  ['checkLog', () => checkLog(anything({ log: [] })), "'log'; did you mean 'logs'?"],
  ['replayLog', () => replayLog(anything({ logs: [] })), "'logs'; did you mean 'log'?"],
  ['boundedCounter', () => boundedCounter(anything({ mni: 0 })), "'mni'; did you mean 'min'?"],
  ['custom', () => custom((old: string) => old, anything({ inital: '' })), "'inital'; did you mean 'initial'?"],
] as const)('an option of %s that does not exist is refused', async (_, call, message) => {
  expect(await refusalOf(call)).toContain(message)
})

test.each([
  'get',
  'getAt',
  'explain',
  'log',
  'set',
  'delete',
  'with',
  'watch',
  'keys',
  'project',
  'compact',
  'export',
  'import',
])('a call %s with an option that does not exist is refused', async (name) => {
  await using warp = await openWarp({ keys })
  const options = anything({ singal: undefined })
  const pieces = (async function* () {})()
  const projection = { name: 'p', initial: () => 0, apply: (count: number) => count }
  const calls: Readonly<Record<string, () => unknown>> = {
    get: () => warp.get('user:1', options),
    getAt: () => warp.getAt('user:1', { version: 1 }, options),
    explain: () => warp.explain('user:1', options),
    log: () => warp.log('user:1', options),
    set: () => warp.set('user:1', [], options),
    delete: () => warp.delete('user:1', options),
    with: () => warp.key('user:1').with(options),
    watch: () => warp.watch('user:*', options),
    keys: () => warp.keys('user:*', options),
    project: () => warp.project(projection, options),
    compact: () => warp.compact(options),
    export: () => warp.export(options),
    import: () => warp.import(pieces, options),
  }
  expect(await refusalOf(calls[name] ?? (() => undefined))).toContain(
    "there is no option 'singal'; did you mean 'signal'?",
  )
  expect(warp.stats().operations.writtenCount).toBe(0)
})
