/** What people see of objects whose fields are worked out when they are asked for. */
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { openWarp, type Change } from '../../adapters/node/index.ts'
import { register } from '../../crdt/index.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

async function oneChange(options: { ttlMs?: number } = {}) {
  const env = virtualEnv()
  const warp = await openWarp({ keys: { 'r:*': register<string>() }, env })
  const watch = warp.watch('r:*')[Symbol.asyncIterator]()
  await warp.set('r:1', 'hello', options)
  return { warp, env, watch, change: (await watch.next()).value as Change<string> }
}

test('a change that is printed or made JSON shows all its fields', async () => {
  const { warp, change } = await oneChange()
  const all = { kind: 'value', key: 'r:1', value: 'hello', version: 1, cursor: change.cursor }
  expect(JSON.parse(JSON.stringify(change))).toMatchObject({ ...all, operation: { payload: 'hello', key: 'r:1' } })
  for (const text of ["value: 'hello'", "payload: 'hello'", 'timeMs: ', 'cursor: ']) {
    expect(inspect(change, { depth: 4 })).toContain(text)
  }
  await warp.close()
})

test('so does an operation of the log, and the end of a life', async () => {
  const { warp, env, watch } = await oneChange({ ttlMs: 1000 })
  for await (const operation of warp.log('r:1')) {
    expect(JSON.parse(JSON.stringify(operation))).toMatchObject({
      payload: 'hello',
      timeMs: operation.timeMs,
      version: 1,
    })
    expect(inspect(operation)).toContain("payload: 'hello'")
  }
  const next = watch.next()
  await env.advance(2000)
  const expired = (await next).value as Change
  expect(JSON.parse(JSON.stringify(expired))).toMatchObject({ kind: 'expired', key: 'r:1', cursor: expired.cursor })
  expect(inspect(expired)).toContain('cursor: ')
  await warp.close()
})

test('printing throws nothing: what cannot be read is an error in its place', async () => {
  const { warp, change } = await oneChange()
  await warp.close()
  expect(inspect(change)).toContain('WARP_E_CLOSED')
})
