/** `warp start` and `peers`: replicas in processes of their own, reached while they run. */
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { startWarp, warp, warpJson, warpOk, type Running } from '../../support/cli.ts'
import { KEYS, commandFolder } from './command-folder.ts'

interface Ready {
  readonly event: 'ready'
  readonly address: string
  readonly replica: string
  readonly data: string
  readonly socket: string
}

async function readyOf(running: Running): Promise<Ready> {
  return JSON.parse(await running.line(/"ready"/)) as Ready
}

test('two replicas find each other, and what is written to one is read at the other', async () => {
  const folder = commandFolder({ keys: KEYS, mesh: { port: 0, multicast: false, clusterKeyFile: 'cluster.key' } })
  writeFileSync(path.join(folder.cwd, 'cluster.key'), await warpOk(['key']))
  const a = startWarp(['start', '--data', 'a', '--json', '--zone', 'north', '--role', 'store'], folder)
  const { address, replica, data, socket } = await readyOf(a)
  expect([data, socket]).toEqual([path.join(folder.cwd, 'a'), path.join(folder.cwd, 'a/control.sock')])
  expect(statSync(socket).mode & 0o777).toBe(0o600)

  const b = startWarp(['start', '--data', 'b', '--peer', address], folder)
  await b.line(/^ready address=127\.0\.0\.1:\d+ replica=[0-9a-f]{8} data=.*b socket=.*b\/control\.sock$/)
  const watch = startWarp(['watch', '--data', 'b', '--count', '1'], folder)
  await watch.errorLine(/watching \*/)
  await warpOk(['set', 'user:1', 'Alice', '--data', 'a'], folder)
  await watch.line(new RegExp(`user:1 = "Alice" {2}\\(${replica.slice(0, 8)}:1\\)$`))
  expect(await warpOk(['get', 'user:1', '--data', 'b'], folder)).toBe('Alice\n')

  expect(await warpJson(['peers', '--data', 'b'], folder)).toMatchObject([
    { address, replica, state: 'up', zone: 'north', roles: ['store'], transport: 'mesh' },
  ])
  expect(await warpOk(['peers', '--data', 'b'], folder)).toMatch(
    new RegExp(`^ {2}${replica.slice(0, 8)} +${address} +up +\\d+ +.* north +store$`, 'm'),
  )
  a.signal('SIGTERM')
  expect(await a.ended).toMatchObject({ code: 0, stderr: '' })
  await b.line(/^peer:down peer=mesh 127\.0\.0\.1:\d+/)
  b.signal('SIGINT')
  expect(await b.ended).toMatchObject({ code: 0, stderr: '' })
  // Both have let go of their folders.
  expect(await warpOk(['get', 'user:1', '--data', 'b'], folder)).toBe('Alice\n')
})

test('a replica that was killed leaves a folder and a socket that the next command gets by', async () => {
  const folder = commandFolder()
  const first = startWarp(['start', '--no-mesh'], folder)
  await first.line(/^ready /)
  await warpOk(['set', 'user:1', 'Alice'], folder)
  first.signal('SIGKILL')
  await first.ended
  expect(await warpOk(['get', 'user:1'], folder)).toBe('Alice\n')
  await startWarp(['start', '--no-mesh'], folder).line(/^ready /)
  expect(await warpOk(['get', 'user:1'], folder)).toBe('Alice\n')
})

test('a folder whose path is too long for a socket is reached all the same', async () => {
  const folder = commandFolder()
  const data = path.join(folder.cwd, 'x'.repeat(60), 'y'.repeat(60))
  const running = startWarp(['start', '--no-mesh', '--json', '--data', data], folder)
  const { socket } = await readyOf(running)
  expect(Buffer.byteLength(socket)).toBeLessThan(100)
  expect(statSync(path.dirname(socket)).mode & 0o777).toBe(0o700)
  await warpOk(['set', 'user:1', 'Alice', '--data', data], folder)
  running.signal('SIGTERM')
  await running.ended
})

test('without a key the mesh does not start, and says what to do', async () => {
  const { code, stderr } = await warp(['start', '--port', '0'], commandFolder())
  expect(code).toBe(3)
  expect(stderr).toMatch(/^warp: WARP_E_AUTH: .*"warp key" makes one/)
})

test('a port that is taken is said, with code 4', async () => {
  const folder = commandFolder()
  const first = startWarp(['start', '--insecure', '--port', '0', '--json', '--no-multicast'], folder)
  const port = (await readyOf(first)).address.split(':')[1] ?? ''
  const second = await warp(['start', '--insecure', '--port', port, '--data', 'b'], folder)
  expect([second.code, second.stderr]).toEqual([4, expect.stringMatching(/^warp: WARP_E_TRANSPORT: /)])
  const third = await warp(['start', '--insecure', '--port', '0'], folder)
  expect([third.code, third.stderr]).toEqual([4, expect.stringMatching(/^warp: WARP_E_LOG_LOCKED: /)])
})

test('a secret is never printed, also where it is wrong', async () => {
  const folder = commandFolder({ keys: KEYS, mesh: { clusterKey: 'not-a-key-but-secret' } })
  const { code, stdout, stderr } = await warp(['start', '--port', '0'], folder)
  expect(code).toBe(3)
  expect(stdout + stderr).not.toContain('secret')
  const fromEnvironment = await warp(['start', '--port', '0'], { ...folder, env: { WARP_CLUSTER_KEY: 'also-secret' } })
  expect(fromEnvironment.code).toBe(3)
  expect(fromEnvironment.stdout + fromEnvironment.stderr).not.toContain('secret')
})

test('SIGHUP makes it read its key file again', async () => {
  const folder = commandFolder()
  const file = path.join(folder.cwd, 'cluster.key')
  const key = await warpOk(['key'])
  writeFileSync(file, key)
  const running = startWarp(['start', '--port', '0', '--no-multicast', '--key-file', file], folder)
  await running.line(/^ready /)
  writeFileSync(file, `${await warpOk(['key'])}${key}`)
  running.signal('SIGHUP')
  await running.line(/^keys:read$/)
  writeFileSync(file, 'nonsense')
  running.signal('SIGHUP')
  await running.line(/^keys:refused \(WARP_E_AUTH: /)
})

// A container may run its processes under a number that no list of users has.
test.skipIf(process.getuid?.() !== 0)('a replica runs as a user without a name', async () => {
  const { cwd } = commandFolder()
  chmodSync(cwd, 0o777)
  const start = startWarp(['start', '--no-mesh', '--data', 'data'], { cwd, uid: 54_321 })
  expect(await start.line(/^ready/)).toContain('control.sock')
  start.signal('SIGTERM')
  expect((await start.ended).code).toBe(0)
})

test('SIGHUP, as when its terminal is closed, ends a replica without a key file in order', async () => {
  const folder = commandFolder()
  for (const network of [['--no-mesh'], ['--port', '0', '--no-multicast', '--insecure']]) {
    const running = startWarp(['start', ...network], folder)
    await running.line(/^ready /)
    running.signal('SIGHUP')
    expect((await running.ended).code).toBe(0)
    expect(readdirSync(path.join(folder.cwd, 'data')).filter((name) => /sock|\.lock$|\.s$/.test(name))).toEqual([])
  }
})

test('a replica that was killed is given up by its name, once, and one that nobody knows is not', async () => {
  const folder = commandFolder({
    keys: { 'user:*': { strategy: 'register', retain: 'latest' } },
    mesh: { port: 0, multicast: false, clusterKeyFile: 'cluster.key' },
  })
  writeFileSync(path.join(folder.cwd, 'cluster.key'), await warpOk(['key']))
  const a = startWarp(['start', '--data', 'a', '--json', '--name', 'north'], folder)
  const { address, replica } = await readyOf(a)
  const b = startWarp(['start', '--data', 'b', '--peer', address, '--name', 'south'], folder)
  const watch = startWarp(['watch', '--data', 'a', '--count', '1'], folder)
  await watch.errorLine(/watching \*/)
  await b.line(/^ready /)
  await warpOk(['set', 'user:1', 'Alice', '--data', 'b'], folder)
  await watch.line(/user:1 = "Alice"/)
  b.signal('SIGKILL')
  await b.ended
  const waitsFor = /waits for +lacks its +operations +since\n[ -]+\n +south +acknowledgement +\d+ /
  await warpOk(['set', 'user:1', 'Bob', '--data', 'a'], folder)
  await expect.poll(() => warpOk(['peers', '--data', 'a'], folder), { timeout: 60_000 }).toMatch(waitsFor)
  const unknown = await warp(['evict', 'sooth', '--data', 'a'], folder)
  expect(unknown.stderr).toMatch(/there is no replica 'sooth'; did you mean 'south'\?/)
  const evicted = await warpJson(['evict', 'south', '--force', '--data', 'a'], folder)
  expect(evicted).toEqual([{ dot: { replica, sequence: 2 } }])
  const again = await warp(['evict', 'south', '--data', 'a'], folder)
  expect([again.code, again.stderr]).toEqual([3, expect.stringMatching(/south \(\w{16}\) has been evicted already/)])
  a.signal('SIGTERM')
  await a.ended
})
