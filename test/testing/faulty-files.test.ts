import { describe, expect, test } from 'vitest'
import type { LogFile } from '../../src/ports/files.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte)

const distinct = (bytes: Uint8Array): number[] => [...new Set(bytes)]

/** A disk with one durable file `a` of 4 sectors of ones. */
async function written(options: Parameters<typeof faultyFiles>[0] = {}): Promise<{ disk: FaultyFiles; file: LogFile }> {
  const disk = faultyFiles(options)
  const file = disk.create('a')
  await file.write(0, filled(2048, 1))
  await file.sync()
  await disk.syncNames()
  return { disk, file }
}

describe('a power failure', () => {
  test('keeps what was flushed', async () => {
    const { disk } = await written()
    const after = disk.crash()
    expect(after.bytes('a')).toEqual(filled(2048, 1))
    expect(after.bootId).not.toBe(disk.bootId)
  })

  test('keeps any subset of the sectors that were not flushed, and tears some', async () => {
    const outcomes = new Set<string>()
    let torn = 0
    for (let seed = 0; seed < 200; seed++) {
      const { disk, file } = await written({ seed })
      await file.write(512, filled(1024, 2))
      const bytes = disk.crash().bytes('a')
      expect(distinct(bytes.subarray(0, 512))).toEqual([1])
      expect(distinct(bytes.subarray(1536))).toEqual([1])
      outcomes.add(`${bytes[512]}${bytes[1024]}`)
      torn += disk.occurred.get('sector torn') ?? 0
    }
    expect([...outcomes].sort()).toEqual(['11', '12', '21', '22'])
    expect(torn).toBeGreaterThan(0)
  })

  test('leaves a sector as it was at one moment', async () => {
    const seen = new Set<number>()
    for (let seed = 0; seed < 100; seed++) {
      const { disk, file } = await written({ seed, tornSectors: false })
      await file.write(0, filled(8, 2))
      await file.write(0, filled(8, 3))
      seen.add(disk.crash().bytes('a')[0] as number)
    }
    expect([...seen].sort()).toEqual([1, 2, 3])
  })

  test('shortens a file that grew, or leaves zeros in it', async () => {
    const sizes = new Set<number>()
    for (let seed = 0; seed < 50; seed++) {
      const { disk, file } = await written({ seed })
      file.reserve(4096)
      const bytes = disk.crash().bytes('a')
      expect(distinct(bytes.subarray(2048))).toEqual(bytes.length > 2048 ? [0] : [])
      sizes.add(bytes.length)
    }
    expect([...sizes].sort()).toEqual([2048, 4096])
  })

  test('loses or keeps names that were not flushed', async () => {
    const lists = new Set<string>()
    for (let seed = 0; seed < 100; seed++) {
      const { disk } = await written({ seed })
      const temporary = disk.create('b')
      await temporary.sync()
      disk.rename('b', 'a')
      lists.add(disk.crash().list().join())
    }
    expect([...lists].sort()).toEqual(['a', 'a,b'])
  })

  test('is seen by whoever waits for a flush', async () => {
    const { disk, file } = await written({ holdSyncs: false })
    disk.holdSyncs = true
    const flushed = file.sync()
    disk.crash()
    await expect(flushed).rejects.toMatchObject({ code: 'ECRASHED' })
    expect(() => file.read(0, 1)).toThrow('ECRASHED')
  })
})

test('the death of the process alone loses nothing, and flushes nothing', async () => {
  const { disk, file } = await written({ tornSectors: false })
  await file.write(0, filled(512, 2))
  const next = disk.kill()
  expect(next.bytes('a')[0]).toBe(2)
  expect(next.bootId).toBe(disk.bootId)
  const seen = new Set<number>()
  for (let seed = 0; seed < 30; seed++) {
    const again = await written({ seed, tornSectors: false })
    await again.file.write(0, filled(512, 2))
    seen.add(again.disk.kill().crash().bytes('a')[0] as number)
  }
  expect([...seen].sort()).toEqual([1, 2])
})

describe('a flush', () => {
  test('covers what was written before it began and nothing later', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 50; seed++) {
      const { disk, file } = await written({ seed, tornSectors: false })
      disk.holdSyncs = true
      await file.write(0, filled(512, 2))
      const flushed = file.sync()
      await file.write(512, filled(512, 2))
      disk.releaseSyncs()
      await flushed
      const bytes = disk.crash().bytes('a')
      seen.add(`${bytes[0]}${bytes[512]}`)
    }
    expect([...seen].sort()).toEqual(['21', '22'])
  })

  test('that failed leaves its writes in doubt even after the next one succeeds', async () => {
    const seen = new Set<string>()
    for (let seed = 0; seed < 50; seed++) {
      const { disk, file } = await written({ seed, tornSectors: false })
      await file.write(0, filled(512, 2))
      disk.failNext('sync', 'EIO')
      await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
      await file.write(512, filled(512, 2))
      await file.sync()
      const bytes = disk.crash().bytes('a')
      seen.add(`${bytes[0]}${bytes[512]}`)
    }
    expect([...seen].sort()).toEqual(['12', '22'])
  })
})

describe('faults', () => {
  test('a full disk takes what fits, and reserved space is there to be written', async () => {
    const { disk, file } = await written({ spaceBytes: 3000 })
    expect(() => file.reserve(3001)).toThrow('ENOSPC')
    file.reserve(3000)
    await file.write(2048, filled(952, 2))
    expect(() => file.write(2990, filled(20, 3))).toThrow('ENOSPC')
    expect(file.size).toBe(3000)
    expect(disk.bytes('a').subarray(2989)).toEqual(Uint8Array.of(2, ...filled(10, 3)))
    disk.spaceBytes = 4000
    await file.write(3000, filled(1000, 4))
  })

  test('a chosen step fails without effect', async () => {
    const { disk, file } = await written()
    disk.failStep(disk.steps, 'EIO')
    expect(() => file.write(0, filled(1, 9))).toThrow('EIO')
    expect(disk.bytes('a')[0]).toBe(1)
    disk.failNext('read', 'EIO', 2)
    for (let i = 0; i < 2; i++) expect(() => file.read(0, 1)).toThrow('EIO')
    expect(file.read(0, 1)).toEqual(filled(1, 1))
    expect(Object.fromEntries(disk.occurred)).toMatchObject({ 'EIO write': 1, 'EIO read': 2 })
  })

  test('the machine can die in each step in turn', async () => {
    const { disk: measured } = await written()
    expect(measured.journal).toEqual(['create', 'write', 'sync', 'syncNames'])
    for (let step = 0; step < measured.steps; step++) {
      const disk = faultyFiles({ seed: step })
      disk.crashAtStep(step)
      const run = async (): Promise<void> => {
        const file = disk.create('a')
        await file.write(0, filled(512, 1))
        await file.sync()
        await disk.syncNames()
      }
      await expect(run()).rejects.toMatchObject({ code: 'ECRASHED' })
      expect(disk.steps).toBe(step + 1)
      expect(() => disk.list()).toThrow('ECRASHED')
      disk.crash()
    }
  })

  test('a bit can flip', async () => {
    const { disk } = await written()
    disk.flipBit('a', 8 * 700 + 3)
    expect(disk.bytes('a')[700]).toBe(1 ^ 8)
    expect(disk.crash().bytes('a')[700]).toBe(1 ^ 8)
  })
})

test('one seed gives one outcome', async () => {
  const outcome = async (seed: number): Promise<Uint8Array> => {
    const { disk, file } = await written({ seed })
    await file.write(100, filled(1500, 7))
    return disk.crash().bytes('a')
  }
  expect(await outcome(5)).toEqual(await outcome(5))
})
