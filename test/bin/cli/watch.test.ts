/** `warp watch`: as changes happen, resumed, and on a folder that nobody holds. */
import { expect, test } from 'vitest'
import { startWarp, warp, warpJson, warpOk } from '../../support/cli.ts'
import { commandFolder } from './command-folder.ts'

test('a watch of a folder that nobody holds sees what other commands write through it', async () => {
  const folder = commandFolder()
  await warpOk(['set', 'user:0', 'x'], folder)
  const watch = startWarp(['watch', 'user:*'], folder)
  await watch.errorLine(/watching user:\*/)
  await warpOk(['do', 'cart:7', 'add', 'apples'], folder)
  await warpOk(['set', 'user:1', '{"name":"Alice"}'], folder)
  await warpOk(['delete', 'user:0'], folder)
  await watch.line(/^\d{4}-.*Z {2}user:1 = \{ name: "Alice" \} {2}\([0-9a-f]{8}:3\)$/)
  await watch.line(/ {2}user:0 is gone {2}\(/)
  watch.signal('SIGINT')
  const { code, stdout } = await watch.ended
  expect([code, stdout.split('\n')]).toEqual([130, [expect.anything(), expect.anything(), '']])
  expect(await warpOk(['get', 'user:1'], folder)).toBe('{ name: "Alice" }\n')
})

test('a watch goes on behind a cursor or a version', async () => {
  const folder = commandFolder()
  for (const city of ['Paris', 'Lyon', 'Oslo']) await warpOk(['set', 'user:1', city], folder)
  const changes = await warpJson(['watch', 'user:1', '--from', '1', '--count', '2'], folder)
  expect(changes).toMatchObject([{ version: 2 }, { version: 3, value: 'Oslo', operation: { payload: 'Oslo' } }])
  const [{ cursor }] = changes as [{ cursor: string }]
  expect(await warpJson(['watch', 'user:1', '--from', cursor, '--count', '1'], folder)).toMatchObject([{ version: 3 }])
})

test('a replica that stops ends its watches', async () => {
  const folder = commandFolder()
  const replica = startWarp(['start', '--no-mesh'], folder)
  await replica.line(/^ready /)
  const watch = startWarp(['watch'], folder)
  await watch.errorLine(/watching/)
  replica.signal('SIGTERM')
  expect(await watch.ended).toMatchObject({ code: 3, stderr: expect.stringContaining('WARP_E_CLOSED') })
})

test('a malformed pattern is refused', async () => {
  const folder = commandFolder()
  await warpOk(['set', 'user:1', 'x'], folder)
  expect(await warp(['watch', 'a\\'], folder)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('WARP_E_PATTERN'),
  })
})
