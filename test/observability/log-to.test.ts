/** Events in a logger: both shapes, the levels, and what is refused. */
import { describe, expect, test } from 'vitest'
import { logTo, openWarp, type EventLogger, type LogToOptions, type WarpEvent } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

type Line = readonly [level: string, first: unknown, second: unknown]

function logger(extra: object = {}): EventLogger & { readonly lines: Line[] } {
  const lines: Line[] = []
  const at = (level: string) => (first: unknown, second?: unknown) => void lines.push([level, first, second])
  return { lines, error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug'), ...extra }
}

const pinoLike = () => logger({ child: () => undefined, bindings: () => ({}) })
const full: WarpEvent = { kind: 'maintenance:failed', error: new Error('no space') }

test('a logger of console is told the message first', () => {
  const to = logger()
  logTo(to, { fields: { engine: 'a' } })(full)
  expect(to.lines).toEqual([
    ['warn', 'warp: maintenance:failed', { engine: 'a', event: 'maintenance:failed', error: full.error }],
  ])
})

test('a logger of pino is told the fields first, and an error under the name that it writes whole', () => {
  const to = pinoLike()
  logTo(to, { fields: { engine: 'a' } })(full)
  expect(to.lines).toEqual([
    ['warn', { engine: 'a', event: 'maintenance:failed', err: full.error }, 'warp: maintenance:failed'],
  ])
})

test.each([
  ['winston, which has a child too', logger({ child: () => undefined }), 'console', {}],
  ['bunyan', logger({ child: () => undefined, fields: {} }), 'pino', {}],
  ['one that says so', logger(), 'pino', { style: 'pino' }],
  ['one that says otherwise', pinoLike(), 'console', { style: 'console' }],
] as const)('the shape is known: %s', (_, to, shape, options) => {
  logTo(to, options)({ kind: 'members:many', count: 1, limit: 2 })
  expect(typeof to.lines[0]?.[1]).toBe(shape === 'console' ? 'string' : 'object')
})

test('levels can be changed by kind, and kinds left out', () => {
  const to = logger()
  const observe = logTo(to, { levels: { 'members:many': 'error', compacted: 'silent' } })
  observe({ kind: 'members:many', count: 1, limit: 2 })
  observe({ kind: 'compacted', droppedOperationsCount: 1, freedBytes: 1 })
  observe({ kind: 'member:overflow', limit: 2 })
  observe({ kind: 'of a transport of my own' } as never)
  expect(to.lines.map(([level, message]) => `${level} ${String(message)}`)).toEqual([
    'error warp: members:many',
    'error warp: member:overflow',
    'info warp: of a transport of my own',
  ])
})

test('an engine tells it what happens', async () => {
  const files = faultyFiles()
  const to = logger()
  const keys = { 'r:*': register<string>() }
  const warp = await openWarp({ keys, env: virtualEnv(), log: files.store(), observe: logTo(to) })
  files.failNext('sync', 'EIO')
  await expect(warp.set('r:1', 'secret', { ack: 'durable' })).rejects.toThrow()
  expect(to.lines.map(([level, message]) => [level, message])).toEqual([['error', 'warp: poisoned']])
  expect(JSON.stringify(to.lines)).not.toContain('secret')
  await warp.close().catch(() => undefined)
})

describe('what is wrong is refused', () => {
  const any = (value: unknown): never => value as never
  test.each<readonly [string, () => unknown, string]>([
    ['no logger', () => logTo(any(undefined)), 'got undefined; give console, or pino()'],
    ['a function of its own', () => logTo(any(() => 1)), 'it has no error()'],
    ['half a logger', () => logTo(any({ error: () => 1, warn: () => 1, info: () => 1 })), 'it has no debug()'],
    ['an option', () => logTo(logger(), any({ level: {} })), "did you mean 'levels'?"],
    ['a kind', () => logTo(logger(), any({ levels: { 'peer:uo': 'info' } })), "did you mean 'peer:up'?"],
    ['a level', () => logTo(logger(), any({ levels: { 'peer:up': 'warm' } })), "did you mean 'warn'?"],
    ['a style', () => logTo(logger(), any({ style: 'winston' })), "give 'pino' or 'console'"],
    ['fields', () => logTo(logger(), { fields: null } as unknown as LogToOptions), 'fields is null'],
  ])('%s', (_, call, problem) => {
    expect(call).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG', message: expect.stringContaining(problem) }))
  })
})
