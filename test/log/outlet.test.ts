import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { Outlet } from '../../src/log/outlet.ts'
import { openLog } from './log-fixture.ts'

test('what two hold back is held until both have ended, also if one of them says so twice', async () => {
  const { log } = await openLog(memoryFiles())
  const outlet = new Outlet(log)
  const from = outlet.through
  const [first, second] = [outlet.holdBack(), outlet.holdBack()]
  log.begin().text('held')
  log.commit(1, 0)
  first()
  first()
  expect(outlet.through).toBe(from)
  second()
  expect(outlet.through).toBe(log.end)
})
