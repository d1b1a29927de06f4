import fs, {
  chmodSync,
  cpSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  type NoParamCallback,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/file-log.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { smallDisk } from '../../support/small-disk.ts'

const NOBODY = 65_534

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'warp-file-log-'))
})

afterEach(() => {
  rmSync(root, { recursive: true })
})

describe('opening', () => {
  test('makes the folder and its parents, for the owner alone', async () => {
    const path = join(root, 'a', 'b', 'c')
    const files = await fileLog({ path }).open()
    files.create('x').close()
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(join(path, 'x')).mode & 0o777).toBe(0o600)
    await files.close()
  })

  test('touches nothing before it is asked for', () => {
    expect(fileLog({ path: join(root, 'a') }).name).toBe(`file:${join(root, 'a')}`)
    expect(() => statSync(join(root, 'a'))).toThrow('ENOENT')
  })

  test('refuses options out of range', () => {
    for (const options of [
      { path: '' },
      { path: 'a\0b' },
      { path: root, fileMode: 0o444 },
      { path: root, fileMode: 0o1777 },
    ]) {
      expect(() => fileLog(options)).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
    }
  })

  test('refuses a file, and a path through a file, and says so', async () => {
    const path = join(root, 'file')
    writeFileSync(path, '')
    await expect(fileLog({ path }).open()).rejects.toMatchObject({
      code: 'WARP_E_STORAGE',
      message: expect.stringContaining('is a file'),
    })
    await expect(fileLog({ path: join(path, 'a') }).open()).rejects.toMatchObject({
      code: 'WARP_E_STORAGE',
      details: { errno: 'ENOTDIR' },
    })
  })

  // Node's own recursion never ends there.
  test('refuses a folder where its file system lets nobody make one, and says so', async () => {
    await expect(fileLog({ path: '/proc/nope/log' }).open()).rejects.toMatchObject({
      code: 'WARP_E_STORAGE',
      message: expect.stringContaining('cannot make the folder /proc/nope of a log: its file system lets nobody'),
    })
  })

  test('refuses a link that leads nowhere, and says where it leads', async () => {
    const path = join(root, 'link')
    symlinkSync(join(root, 'gone'), path)
    await expect(fileLog({ path }).open()).rejects.toMatchObject({
      code: 'WARP_E_STORAGE',
      message: expect.stringContaining(`it is a link to ${join(root, 'gone')}, and there is nothing`),
    })
  })

  test('opens the folder that a link leads to', async () => {
    const path = join(root, 'link')
    mkdirSync(join(root, 'there'))
    symlinkSync(join(root, 'there'), path)
    const files = await fileLog({ path }).open()
    files.create('x').close()
    expect(readdirSync(join(root, 'there'))).toContain('x')
    await files.close()
  })

  test.each([
    ['cannot be written', 0o555],
    ['cannot be listed', 0o333],
  ])('refuses a folder that %s, and says so', async (_, mode) => {
    const path = join(root, 'folder')
    mkdirSync(path)
    chmodSync(root, 0o755)
    chmodSync(path, mode)
    const opened = asNobody(() => fileLog({ path }).open())
    await expect(opened).rejects.toMatchObject({
      code: 'WARP_E_STORAGE',
      message: expect.stringMatching(/folder.*EACCES.*permissions/),
      cause: { code: 'EACCES' },
    })
  })
})

describe('an open folder', () => {
  test('lists files, and neither folders nor its lock', async () => {
    const files = await fileLog({ path: root }).open()
    mkdirSync(join(root, 'folder'))
    writeFileSync(join(root, 'foreign'), '')
    files.create('b').close()
    expect(files.list()).toEqual(['b', 'foreign'])
    await files.close()
  })

  test('refuses names that lead out of it or to its lock', async () => {
    const files = await fileLog({ path: root }).open()
    for (const name of ['', '.', '..', '../x', 'a/b', 'warp.lock', 'warp.lock.x']) {
      expect(() => files.create(name)).toThrow(expect.objectContaining({ code: 'WARP_E_STORAGE' }))
    }
    await files.close()
  })

  test('closes what is still open, after the flushes under way, and then refuses everything', async () => {
    const files = await fileLog({ path: root }).open()
    const file = files.create('a')
    await file.write(0, new Uint8Array(100_000))
    let flushed = false
    void file.sync().then(() => (flushed = true))
    await files.close()
    expect(flushed).toBe(true)
    expect(() => file.read(0, 1)).toThrow('EBADF')
    await expect(file.sync()).rejects.toThrow('EBADF')
    expect(() => files.list()).toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }))
    await expect(files.syncNames()).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  })

  test('keeps its home when it is opened again, and a copy has another one', async () => {
    const original = join(root, 'original')
    const homeOf = async (path: string): Promise<string | undefined> => {
      const files = await fileLog({ path }).open()
      await files.close()
      return files.home
    }
    const home = await homeOf(original)
    expect(await homeOf(original)).toBe(home)
    cpSync(original, join(root, 'copy'), { recursive: true })
    expect(await homeOf(join(root, 'copy'))).not.toBe(home)
  })

  test.runIf(process.platform === 'linux')('knows the boot', async () => {
    const files = await fileLog({ path: root }).open()
    expect(files.bootId).toMatch(/^[0-9a-f-]{36}$/)
    await files.close()
  })
})

describe('a flush', () => {
  const { fsync, fdatasync } = fs
  afterEach(() => install({ fsync, fdatasync }))

  /** What the system would be asked for is all that can be seen of a flush while the machine stays up. */
  function install(calls: Partial<Pick<typeof fs, 'fsync' | 'fdatasync'>>): void {
    Object.assign(fs, calls)
    syncBuiltinESMExports()
  }

  test('asks the system to keep bytes and names, and says so when it cannot', async () => {
    const files = await fileLog({ path: root }).open()
    const file = files.create('a')
    await file.write(0, new Uint8Array(10))
    const asked: [string, number][] = []
    install({
      fdatasync: ((fd: number, done: NoParamCallback) => {
        asked.push(['bytes', fstatSync(fd).ino])
        fdatasync(fd, done)
      }) as typeof fdatasync,
      fsync: ((fd: number, done: NoParamCallback) => {
        asked.push(['names', fstatSync(fd).ino])
        fsync(fd, done)
      }) as typeof fsync,
    })
    await file.sync()
    await files.syncNames()
    expect(asked).toEqual([
      ['bytes', statSync(join(root, 'a')).ino],
      ['names', statSync(root).ino],
    ])
    const refuse = ((_: number, done: NoParamCallback) => setImmediate(done, new Error('EIO'))) as unknown
    install({ fdatasync: refuse as typeof fdatasync, fsync: refuse as typeof fsync })
    await expect(file.sync()).rejects.toThrow('EIO')
    await expect(files.syncNames()).rejects.toThrow('EIO')
    await files.close()
  })
})

describe('a folder that is not ours any more', () => {
  test.each(['logged', 'durable'] as const)(
    'is noticed before the next write is acknowledged: renamed, ack %s',
    async (ack) => {
      const path = join(root, 'data')
      const events: string[] = []
      const warp = await openWarp({
        keys: { '*': register() },
        log: fileLog({ path }),
        observe: ({ kind }) => events.push(kind),
      })
      await warp.set('a', 1, { ack })
      renameSync(path, join(root, 'elsewhere'))
      await expect(warp.set('a', 2, { ack })).rejects.toMatchObject({
        code: 'WARP_E_STORAGE_POISONED',
        message: expect.stringContaining('was moved, removed or replaced'),
      })
      expect(events).toContain('poisoned')
      await expect(warp.close()).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
    },
  )
})

describe('a full disk', () => {
  test('is reported as such, keeps what was there, and gives back what a reservation took', async ({ skip }) => {
    const disk = await smallDisk(2 ** 20)
    if ('whyNot' in disk) return skip(disk.whyNot)
    const { path } = disk
    const files = await fileLog({ path }).open()
    const file = files.create('a')
    await file.write(0, new Uint8Array(1000).fill(1))
    expect(() => file.reserve(2 ** 21)).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(file.size).toBe(1000)
    file.reserve(2 ** 19)
    const other = files.create('b')
    expect(() => other.write(0, new Uint8Array(2 ** 20))).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    await file.write(1000, new Uint8Array(2 ** 19 - 1000).fill(2)) // the reserved space is ours
    await file.sync()
    expect(file.read(999, 2)).toEqual(Uint8Array.of(1, 2))
    await files.close()
    expect(() => writeFileSync(join(path, 'filler'), new Uint8Array(2 ** 20))).toThrow('ENOSPC')
    for (let i = 0; i < 2; i++) await (await fileLog({ path }).open()).close() // a block was kept for the lock
    rmSync(join(path, 'warp.lock.spare'))
    writeFileSync(join(path, 'more'), new Uint8Array(4096))
    await expect(fileLog({ path }).open()).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
  })
})

/** Root may do everything, so permissions are tried as somebody else. */
async function asNobody<Result>(run: () => Promise<Result>): Promise<Result> {
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid?.(NOBODY)
  try {
    return await run()
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}

describe('opening to read', () => {
  async function folderWith(text: string): Promise<void> {
    const files = await fileLog({ path: root }).open()
    const file = files.create('x')
    await file.write(0, new TextEncoder().encode(text))
    file.close()
    await files.close()
  }

  test('reads what is there, refuses to write, and leaves nothing behind', async () => {
    await folderWith('content')
    const files = await fileLog({ path: root, readOnly: true }).open()
    const file = files.open('x')
    expect(new TextDecoder().decode(file.read(0, 99))).toBe('content')
    expect(() => file.write(0, new Uint8Array(1))).toThrow('EBADF')
    for (const write of [() => files.create('y'), () => files.rename('x', 'y'), () => files.remove('x')])
      expect(write).toThrow(expect.objectContaining({ code: 'WARP_E_STORAGE' }))
    file.close()
    await files.close()
    expect(readdirSync(root)).toEqual(['warp.lock.spare', 'x']) // the spare is of who has written here before
  })

  test('takes a folder that this user cannot write', async () => {
    await folderWith('content')
    chmodSync(join(root, 'x'), 0o444)
    chmodSync(root, 0o555)
    const listed = asNobody(async () => (await fileLog({ path: root, readOnly: true }).open()).list())
    await expect(listed).resolves.toEqual(['x'])
    chmodSync(root, 0o755)
  })

  test('makes no folder', async () => {
    const path = join(root, 'none')
    await expect(fileLog({ path, readOnly: true }).open()).rejects.toMatchObject({
      code: 'WARP_E_STORAGE',
      details: { errno: 'ENOENT' },
    })
    expect(readdirSync(root)).toEqual([])
  })

  test('is refused while somebody writes', async () => {
    const held = await fileLog({ path: root }).open()
    await expect(fileLog({ path: root, readOnly: true }).open()).rejects.toMatchObject({ code: 'WARP_E_LOG_LOCKED' })
    await held.close()
  })
})
