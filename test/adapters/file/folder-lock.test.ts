import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/file-log.ts'
import { type Holder, holderFate, thisProcess } from '../../../adapters/file/lock-holder.ts'
import type { LogFiles } from '../../../src/ports/files.ts'
import { type Child, startChild } from './child.ts'

/** Linux alone tells boots, starts of processes and namespaces. */
const isLinux = process.platform === 'linux'
const OTHER_BOOT = '00000000-0000-0000-0000-000000000000'
const GONE = { code: 'WARP_E_LOG_LOCKED', message: expect.stringContaining('is not held any more') as unknown }
const HOLDER_PROGRAM = new URL('../../../dist/test/adapters/file/holder-process.js', import.meta.url)

/** A process of its own kind: process ids, host name and `/proc`, as in a container. */
function container(name: string): string[] {
  if (!isLinux) return []
  const spaces = ['--pid', '--uts', '--fork', '--mount-proc', '--kill-child']
  const run = ['sh', '-c', 'hostname "$1" && shift && exec "$@"', 'sh', name]
  return ['unshare', ...(process.getuid?.() === 0 ? [] : ['-r']), ...spaces, ...run]
}

/** Whether a child gets the folder, once the holder before it is gone. */
async function opens(holder: Child): Promise<boolean> {
  for (;;) {
    const answer = await holder.ask(`open ${path}`).catch(() => 'no child')
    if (answer !== 'WARP_E_LOG_LOCKED') return answer === 'held'
  }
}

const NO_PROCESS = 2 ** 22 + 1 // above the largest process id that Linux gives

let path: string
const cleanups: (() => void | Promise<void>)[] = []

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'warp-lock-'))
})

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
  rmSync(path, { recursive: true })
})

const open = (): Promise<LogFiles> => fileLog({ path }).open()

function child(...inside: readonly string[]): Child {
  const started = startChild(...inside)
  cleanups.push(() => started.kill())
  return started
}

/** Writes a lock file held by this process, save for what is said otherwise. */
function leave(other: Partial<Holder> = {}, name = 'warp.lock'): Holder {
  const holder = { ...thisProcess(randomUUID()), ...other }
  writeFileSync(join(path, name), JSON.stringify(holder))
  return holder
}

async function expectTakenOver(): Promise<void> {
  const files = await open()
  const holder = JSON.parse(readFileSync(join(path, 'warp.lock'), 'utf8')) as Holder
  expect(holder).toMatchObject({ pid: process.pid })
  expect(readdirSync(path)).toEqual(['warp.lock', holder.socket].sort())
  await files.close()
  expect(readdirSync(path)).toEqual([])
}

const locked = (...parts: readonly string[]): object => ({
  code: 'WARP_E_LOG_LOCKED',
  message: expect.stringMatching(new RegExp(parts.join('.*'))) as unknown,
})

describe('a folder that is held', () => {
  test('is refused to the same process until it is closed', async () => {
    const files = await open()
    await expect(open()).rejects.toMatchObject(locked(path, `process ${process.pid}`, 'this process'))
    await files.close()
    await files.close()
    await (await open()).close()
  })

  test('is refused to another process, which is told by whom', async () => {
    const holder = child()
    expect(await holder.ask(`open ${path}`)).toBe('held')
    await expect(open()).rejects.toMatchObject({ details: { path, pid: holder.pid } })
    expect(await holder.ask('close')).toBe('closed')
    await (await open()).close()
  })

  test('is free after kill -9 of its holder', async () => {
    const holder = child()
    await holder.ask(`open ${path}`)
    await holder.kill()
    expect(existsSync(join(path, 'warp.lock'))).toBe(true)
    await expectTakenOver()
  })

  test('by a process that is busy, stopped, or in another container is refused', async () => {
    const holder = child(...container('one'))
    expect(await holder.ask(`open ${path}`)).toBe('held')
    await expect(open()).rejects.toMatchObject(locked('held by process'))
    const other = child(...container('two'))
    expect(await other.ask(`open ${path}`)).toBe('WARP_E_LOG_LOCKED')
  })

  test('whose socket somebody has removed is refused as long as the process is there', async () => {
    const files = await open()
    const { socket } = JSON.parse(readFileSync(join(path, 'warp.lock'), 'utf8')) as Holder
    rmSync(join(path, socket ?? ''))
    await expect(open()).rejects.toMatchObject(locked('this process'))
    await files.close()
  })

  test.runIf(isLinux)('by a process of another container without a socket is refused with the remedy', async () => {
    leave({ pidNamespace: 'pid:[1]', pid: NO_PROCESS })
    await expect(open()).rejects.toMatchObject(locked('remove .*warp.lock'))
  })

  test.runIf(isLinux)('by another host: dead on a disk of this machine, not known on one that is shared', async () => {
    const elsewhere = { ...thisProcess(randomUUID()), hostname: 'elsewhere', bootId: OTHER_BOOT, socket: 'warp.lock.s' }
    expect(await holderFate(elsewhere, path)).toBe('dead')
    // The file system of /proc is none of those that are known to be of one machine.
    expect(await holderFate(elsewhere, '/proc')).toBe('unknown')
    expect(await holderFate({ ...elsewhere, bootId: undefined }, '/proc')).toBe('unknown')
    expect(await holderFate({ ...elsewhere, hostname: hostname() }, '/proc')).toBe('dead')
  })

  test('by nobody knows whom is refused with the remedy', async () => {
    for (const text of ['', '{', '[]', '{"pid":1}', JSON.stringify({ ...thisProcess('../../etc/passwd') })]) {
      writeFileSync(join(path, 'warp.lock'), text)
      await expect(open()).rejects.toMatchObject(locked('remove that file'))
    }
  })

  test('stays the new holder’s when the old one closes', async () => {
    const files = await open()
    const holder = leave()
    await files.close()
    expect(readFileSync(join(path, 'warp.lock'), 'utf8')).toContain(holder.token)
  })

  test.each([
    ['renamed', () => renameSync(path, `${path}-moved`)],
    ['removed', () => rmSync(path, { recursive: true })],
    [
      'replaced',
      () => {
        renameSync(path, `${path}-moved`)
        mkdirSync(path)
      },
    ],
    [
      'taken by another',
      () => {
        leave({}, 'other')
        renameSync(join(path, 'other'), join(path, 'warp.lock'))
      },
    ],
    ['unlocked by hand', () => rmSync(join(path, 'warp.lock'))],
  ])('is looked at again before anything is made in it or acknowledged: %s', async (_, change) => {
    const files = await open()
    cleanups.push(() => rmSync(`${path}-moved`, { recursive: true, force: true }))
    files.create('a').close()
    files.assertHeld?.()
    change()
    cleanups.push(() => void mkdirSync(path, { recursive: true }))
    const calls = [() => files.create('b'), () => files.rename('a', 'b'), () => files.remove('a')]
    for (const call of [...calls, () => files.assertHeld?.()]) expect(call).toThrow(expect.objectContaining(GONE))
    await files.close()
  })
})

describe('a lock is taken over', () => {
  test('from a process that is gone', async () => {
    leave({ pid: NO_PROCESS })
    await expectTakenOver()
  })

  test.runIf(isLinux)('from a process whose id has been given to another one', async () => {
    leave({ startTicks: '1' })
    await expectTakenOver()
  })

  test.runIf(isLinux)('from another boot', async () => {
    leave({ bootId: OTHER_BOOT })
    await expectTakenOver()
  })

  test.runIf(isLinux)('from a container that was killed, whatever its host was called', async ({ skip }) => {
    for (const name of ['one', 'two', 'two']) {
      const holder = child(...container(name))
      if (!(await opens(holder))) return skip('unshare is not possible here')
      await holder.kill()
    }
    await expectTakenOver()
  })

  test.runIf(isLinux)('from a holder on whose socket nobody listens, though its process lives', async () => {
    const server = createServer().listen({ path: join(path, 'bound') })
    renameSync(join(path, 'bound'), join(path, 'warp.lock.dead.s')) // closing removes the name that was bound
    leave({ socket: 'warp.lock.dead.s' })
    await expect(open()).rejects.toMatchObject(locked('this process'))
    server.close()
    await expectTakenOver()
  })

  test('from a worker thread that was terminated', async () => {
    const worker = new Worker(HOLDER_PROGRAM, { workerData: { path } })
    await once(worker, 'message')
    await expect(open()).rejects.toMatchObject(locked('this process'))
    await worker.terminate()
    await expectTakenOver()
  })

  test.runIf(isLinux)('in a folder whose path is longer than the address of a socket', async () => {
    path = join(path, 'long'.repeat(40))
    const holder = child()
    await holder.ask(`open ${path}`)
    await expect(open()).rejects.toMatchObject(locked('held by process'))
    await holder.kill()
    const files = await open()
    expect(readdirSync(path)).toContain((JSON.parse(readFileSync(join(path, 'warp.lock'), 'utf8')) as Holder).socket)
    await files.close()
  })

  test('with what else contenders that died have left: files and sockets', async () => {
    const dead = child()
    await dead.ask(`open ${path}`)
    const { socket = '' } = JSON.parse(readFileSync(join(path, 'warp.lock'), 'utf8')) as Holder
    await dead.kill()
    rmSync(join(path, 'warp.lock'))
    expect(readdirSync(path)).toContain(socket)
    await expectTakenOver()
  })

  test.runIf(isLinux)('from a killed process that its parent has not noticed', async () => {
    // The shell leaves a child behind, which outlives the shell, and turns into a program that never asks for exit codes.
    const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'inherit'] })
    cleanups.push(() => void parent.kill('SIGKILL'))
    const [output] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(output.toString())
    const stat = (): string => readFileSync(`/proc/${pid}/stat`, 'utf8')
    while (!stat().includes(') Z ')) await new Promise((resolve) => setImmediate(resolve))
    leave({ pid, startTicks: stat().split(') ')[1]?.split(' ')[19] })
    await expectTakenOver()
  })

  test('from one that died while taking over, and from one that died taking over from that', async () => {
    const first = leave({ pid: NO_PROCESS })
    const second = leave({ pid: NO_PROCESS }, `warp.lock.${first.token}`)
    leave({ pid: NO_PROCESS }, `warp.lock.${second.token}`)
    leave({ pid: NO_PROCESS }, `warp.lock.new-${randomUUID()}`)
    await expectTakenOver()
  })

  test('but not while somebody who lives is at it', async () => {
    const first = leave({ pid: NO_PROCESS })
    leave({}, `warp.lock.${first.token}`)
    await expect(open()).rejects.toMatchObject(locked(`process ${process.pid}`))
  })

  test('by exactly one of several processes', async () => {
    const contenders = Array.from({ length: 4 }, () => child())
    for (let round = 0; round < 15; round++) {
      leave({ pid: NO_PROCESS })
      const answers = await Promise.all(contenders.map((contender) => contender.ask(`open ${path}`)))
      expect(answers.sort()).toEqual(['WARP_E_LOG_LOCKED', 'WARP_E_LOG_LOCKED', 'WARP_E_LOG_LOCKED', 'held'])
      await Promise.all(contenders.map((contender) => contender.ask('close')))
    }
  })

  test('by one at a time, however often holders die and close', async () => {
    const dead = JSON.stringify({ ...thisProcess(randomUUID()), pid: NO_PROCESS })
    const ask = (contender: Child, seed: number): Promise<string> => contender.ask(`hammer ${path} 400 ${seed} ${dead}`)
    const answers = await Promise.all(Array.from({ length: 3 }, (_, seed) => ask(child(), seed)))
    for (const answer of answers) expect(answer).toMatch(/^wins [1-9]\d* doubles 0 errors $/)
    // A process that only plays dead still listens on its sockets.
    const left = readdirSync(path).filter((name) => !name.endsWith('.s') && name !== 'warp.lock.spare')
    expect(left.filter((name) => name !== 'warp.lock').length).toBeLessThanOrEqual(1)
  })
})
