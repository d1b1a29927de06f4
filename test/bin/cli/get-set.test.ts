/** `warp get`, `set`, `delete` and `do` on a folder that nobody holds. */
import path from 'node:path'
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { warpJson, warpOk } from '../../support/cli.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

function folderWith(keys: Readonly<Record<string, unknown>>): { readonly cwd: string } {
  const cwd = temporaryFolder()
  writeFileSync(path.join(cwd, 'warp.config.json'), JSON.stringify({ keys }))
  return { cwd }
}

test('what is set is there for the next command', async () => {
  const here = folderWith({ 'user:*': 'register' })
  expect(await warpOk(['set', 'user:1', '{"name":"Alice"}'], here)).toMatch(/^[0-9a-f]{16}:1 version 1, logged\n$/)
  expect(await warpOk(['get', 'user:1'], here)).toBe('{ name: "Alice" }\n')
  expect(await warpJson(['get', 'user:1'], here)).toEqual([{ name: 'Alice' }])
})
