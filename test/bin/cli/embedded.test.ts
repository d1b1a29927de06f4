/** Services that embed the engine, and the command beside them: `openWarp({ control: true })`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { WARP, startWarp, warpJson, warpOk } from '../../support/cli.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** A user's program. Says where it is, and writes what it is told, a line `key value` at a time. */
const SERVICE = `
import { openWarp } from '@/index.js'
import { fileLog } from '@/file.js'
import { meshTransport } from '@/mesh.js'
import { register } from '@/crdt.js'
import { createInterface } from 'node:readline'

const [name, ...peers] = process.argv.slice(2)
const mesh = meshTransport({ port: 0, multicast: false, insecure: true, peers })
const warp = await openWarp({
  name, control: true, keys: { 'user:*': register() }, log: fileLog({ path: name }), transports: [mesh],
})
console.log(JSON.stringify({ address: mesh.address, replica: warp.replica }))
for await (const line of createInterface({ input: process.stdin })) await warp.set(...line.split(' '))
await warp.close()
`

interface Service {
  readonly address: string
  readonly replica: string
  write(key: string, value: string): void
  stop(): Promise<number | null>
}

async function startService(cwd: string, ...parameters: readonly string[]): Promise<Service> {
  const file = path.join(cwd, 'service.mjs')
  writeFileSync(file, SERVICE.replaceAll('@/', `${pathToFileURL(path.dirname(WARP)).href}/`))
  const child = spawn(process.execPath, [file, ...parameters], { cwd, stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`the service ended with ${String(code)} and said nothing`)
  })
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), died])) as [string]
  died.catch(() => undefined) // it ends in its time
  return {
    ...(JSON.parse(line) as { address: string; replica: string }),
    write: (key, value) => void child.stdin.write(`${key} ${value}\n`),
    stop: async () => {
      child.stdin.end()
      const [code] = (await once(child, 'exit')) as [number | null]
      return code
    },
  }
}

test('log, explain, peers, stats and watch run beside services that embed the engine, and call them by name', async () => {
  const cwd = temporaryFolder()
  const first = await startService(cwd, 'web-1')
  const second = await startService(cwd, 'web-2', first.address)
  const watch = startWarp(['watch', 'user:*', '--data', 'web-1', '--count', '1'], { cwd })
  await watch.errorLine(/watching user:\*/)
  second.write('user:1', 'Alice')
  await watch.line(/user:1 = "Alice" {2}\(web-2:1\)$/)

  expect(await warpOk(['log', 'user:1', '--data', 'web-1'], { cwd })).toMatch(/^ {2}1 +web-2:1 .* "Alice" +-$/m)
  expect(await warpOk(['explain', 'user:1', '--data', 'web-2'], { cwd })).toMatch(/^ {2}web-2:1 .* won +-$/m)
  expect(await warpOk(['peers', '--data', 'web-1'], { cwd })).toMatch(/^ {2}web-2 +127\.0\.0\.1:\d+ +up /m)
  expect(await warpOk(['stats', '--data', 'web-1'], { cwd })).toMatch(/^ {2}name +web-1$/m)
  expect(await warpOk(['set', 'user:2', 'Bob', '--data', 'web-1'], { cwd })).toBe('web-1:1 version 1, logged\n')

  // Whole where programs read, and where people ask.
  expect(await warpJson(['peers', '--data', 'web-1'], { cwd })).toMatchObject([{ replica: second.replica }])
  const whole = await warpOk(['log', 'user:1', '--data', 'web-1', '--full-ids'], { cwd })
  expect(whole).toContain(`${second.replica}:1 `)

  // What a replica was called is remembered when it has gone.
  expect(await second.stop()).toBe(0)
  expect(await warpOk(['log', 'user:1', '--data', 'web-1'], { cwd })).toMatch(/ web-2:1 /)
  expect(await first.stop()).toBe(0)
})

test('control needs a log with a folder, or a path, and says so', async () => {
  const keys = { '*': register<string>() }
  const refusal = { code: 'WARP_E_CONFIG', message: expect.stringContaining('control needs a log with a folder') }
  await expect(openWarp({ keys, control: true })).rejects.toMatchObject(refusal)
  const mistyped = openWarp({ keys, control: { paht: 'x' } as object })
  await expect(mistyped).rejects.toMatchObject({ code: 'WARP_E_CONFIG', message: expect.stringContaining("'paht'") })
})

test('a service whose socket cannot be opened lets go of its log', async () => {
  const folder = temporaryFolder()
  writeFileSync(path.join(folder, 'precious'), 'x')
  const options = { keys: { '*': register<string>() }, log: fileLog({ path: path.join(folder, 'data') }) }
  const opening = openWarp({ ...options, control: { path: path.join(folder, 'precious') } })
  await expect(opening).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  const warp = await openWarp({ ...options, control: { path: path.join(folder, 'socket') } })
  await warp.set('a', 'b')
  expect(await warpOk(['get', 'a', '--data', path.join(folder, 'data')])).toBe('b\n')
  await warp.close()
})
