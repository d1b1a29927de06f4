/** `warp check` beside a service whose table somebody writes past it. */
import { expect, onTestFinished, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { openWarp, type WarpEvent } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { warp as run } from '../../support/cli.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const COMPARED = { kind: 'checked', comparedCount: 2, skippedCount: 0 }

async function service() {
  const cwd = temporaryFolder()
  const store = memoryStore()
  const events: WarpEvent[] = []
  const warp = await openWarp({
    keys: { 'user:*': { strategy: register<string>(), store, writes: 'through' }, 'own:*': register<string>() },
    log: fileLog({ path: `${cwd}/data` }),
    control: true,
    observe: (event) => {
      if (event.kind === 'validator:drift') events.push(event)
    },
  })
  onTestFinished(() => warp.close())
  await warp.set('user:1', 'Ada')
  await warp.set('user:2', 'Bob')
  const check = async (...parameters: readonly string[]) => {
    const { code, stdout, stderr } = await run(['check', ...parameters, '--json'], { cwd })
    const items = stdout.split('\n').filter((line) => line !== '')
    return { code, items: items.map((line) => JSON.parse(line) as unknown), stderr }
  }
  const drifts = (): void => store.put('user:1', new TextEncoder().encode('"Eve"'))
  return { warp, cwd, events, check, drifts }
}

test('where memory and store agree, the exit code is 0; where they differ it is 1, and the key is named', async () => {
  const { check, drifts, events } = await service()
  expect(await check('user:*')).toEqual({ code: 0, items: [{ ...COMPARED, driftsCount: 0 }], stderr: '' })
  drifts()
  const found = { kind: 'drift', drift: 'copy-differs', key: 'user:1', store: 'memory:rows', healed: 'none' }
  expect(await check()).toEqual({ code: 1, items: [found, { ...COMPARED, driftsCount: 1 }], stderr: '' })
  expect(events).toEqual([])
})

test('heal makes the copy go, is an event, and the next check finds nothing', async () => {
  const { warp, check, drifts, events } = await service()
  drifts()
  expect(await check('user:1', '--mode', 'heal', '--per-second', '50')).toMatchObject({
    code: 1,
    items: [
      { kind: 'drift', key: 'user:1', healed: 'voided' },
      { comparedCount: 1, driftsCount: 1 },
    ],
  })
  expect(events).toMatchObject([{ key: 'user:1', drift: 'copy-differs', healed: 'voided' }])
  expect(await warp.get('user:1')).toBe('Eve')
  expect(await check()).toMatchObject({ code: 0 })
})

test('for people it is a line for each key, and one in the end', async () => {
  const { cwd, drifts } = await service()
  drifts()
  const { code, stdout } = await run(['check'], { cwd })
  expect([code, stdout]).toEqual([1, 'copy-differs  user:1  (memory:rows)\n2 compared, 1 drift\n'])
})

test('keys whose truth is here, and what is no mode, are refused', async () => {
  const { check } = await service()
  expect(await check('own:*')).toMatchObject({ code: 3, items: [], stderr: expect.stringContaining('WARP_E_CONFIG') })
  expect(await check('user:*', '--mode', 'mend')).toMatchObject({ code: 2, items: [] })
  expect(await check('user:*', '--per-second', '0')).toMatchObject({ code: 2, items: [] })
})
