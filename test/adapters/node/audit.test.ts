import { describe, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { checkLog, openWarp } from '../../../adapters/node/index.ts'
import { counter } from '../../../crdt/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

describe('checkLog', () => {
  const keys = { 'n:*': counter() }

  test('takes one log alone, of which it folds nothing, or several and what their keys mean', async () => {
    const path = temporaryFolder()
    const warp = await openWarp({ log: fileLog({ path }), keys })
    await warp.key('n:1').increment(3)
    await warp.close()
    const log = fileLog({ path, readOnly: true })
    const counts = { operationsCount: 1, keysCount: 1 }
    expect(await checkLog(log)).toMatchObject({ isSound: true, logs: [{ ...counts, foldedKeysCount: 0 }] })
    expect(await checkLog({ logs: [log], keys })).toMatchObject({
      isSound: true,
      logs: [{ ...counts, foldedKeysCount: 1 }],
    })
  })

  test('of no log is refused, with what to give', async () => {
    for (const logs of [[], undefined]) {
      const options = { logs } as { logs: [] }
      await expect(checkLog(options)).rejects.toMatchObject({
        code: 'WARP_E_CONFIG',
        message: expect.stringContaining('{ logs: [one, ...] }'),
      })
    }
  })
})
