import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/file-log.ts'
import { type Holder, thisProcess } from '../../../adapters/file/lock-holder.ts'
import type { LogFiles } from '../../../src/ports/files.ts'
import { type Child, startChild } from './child.ts'

/** Linux alone tells boots, starts of processes and namespaces. */
const isLinux = process.platform === 'linux'
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

function child(): Child {
  const started = startChild()
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
  expect(readdirSync(path)).toEqual(['warp.lock'])
  expect(JSON.parse(readFileSync(join(path, 'warp.lock'), 'utf8'))).toMatchObject({ pid: process.pid })
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

  test('by a process of another host is refused with the remedy', async () => {
    leave({ hostname: 'elsewhere', pid: NO_PROCESS })
    await expect(open()).rejects.toMatchObject(locked('elsewhere', 'remove .*warp.lock'))
  })

  test.runIf(isLinux)('by a process of another container is refused with the remedy', async () => {
    leave({ pidNamespace: 'pid:[1]', pid: NO_PROCESS })
    await expect(open()).rejects.toMatchObject(locked('remove .*warp.lock'))
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
    leave({ bootId: '00000000-0000-0000-0000-000000000000' })
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
    const contenders = Array.from({ length: 4 }, child)
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
    expect(readdirSync(path).filter((name) => name !== 'warp.lock').length).toBeLessThanOrEqual(1)
  })
})
