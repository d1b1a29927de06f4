import { describe, expect, test } from 'vitest'
import { logFilesSuite } from '../../adapters/conformance/index.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { overlayFiles, overlayLog } from '../../src/log/files/overlay-files.ts'

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text)

function folder(contents: Readonly<Record<string, string>>): MemoryFiles {
  const files = memoryFiles({ persistent: true, home: 'here', bootId: 'now' })
  for (const [name, text] of Object.entries(contents)) void files.create(name).write(0, encoded(text))
  return files
}

function read(files: { open: MemoryFiles['open'] }, name: string): string {
  const file = files.open(name)
  return new TextDecoder().decode(file.read(0, file.size))
}

describe('an overlay over an empty folder is a folder', () => {
  logFilesSuite({ test, create: () => ({ files: overlayFiles(folder({})) }) })
})

describe('an overlay over a folder with files', () => {
  test('shows them, and where they are', () => {
    const overlay = overlayFiles(folder({ one: 'first', two: 'second' }))
    expect(overlay.list()).toEqual(['one', 'two'])
    expect([read(overlay, 'one'), overlay.home, overlay.bootId, overlay.persistent]).toEqual([
      'first',
      'here',
      'now',
      true,
    ])
  })

  test('keeps to itself what is written, cut, renamed, removed and created', () => {
    const below = folder({ one: 'first', two: 'second', three: 'third', four: 'fourth' })
    const overlay = overlayFiles(below)
    void overlay.open('one').write(2, encoded('XX'))
    overlay.open('two').truncate(3)
    overlay.rename('three', 'five')
    overlay.remove('four')
    void overlay.create('six').write(0, encoded('sixth'))
    expect(overlay.list()).toEqual(['five', 'one', 'six', 'two'])
    expect(overlay.list().map((name) => read(overlay, name))).toEqual(['third', 'fiXXt', 'sixth', 'sec'])
    expect(below.list()).toEqual(['one', 'two', 'three', 'four'])
    expect(below.list().map((name) => read(below, name))).toEqual(['first', 'second', 'third', 'fourth'])
  })

  test('shows what one handle wrote to another that was open before', () => {
    const overlay = overlayFiles(folder({ one: 'first' }))
    const reader = overlay.open('one')
    void overlay.open('one').write(0, encoded('F'))
    expect(new TextDecoder().decode(reader.read(0, 9))).toBe('First')
  })

  test('reserves space beyond what is there', () => {
    const overlay = overlayFiles(folder({ one: 'first' }))
    const file = overlay.open('one')
    file.reserve(3)
    expect(file.size).toBe(5)
    file.reserve(8)
    expect([...file.read(0, 9)].slice(5)).toEqual([0, 0, 0])
  })

  test('does not show what it hides, and refuses names that are taken or gone', () => {
    const overlay = overlayFiles(folder({ one: 'first', two: 'second' }), { hides: (name) => name === 'two' })
    expect(overlay.list()).toEqual(['one'])
    expect(() => overlay.open('two')).toThrow('no file two')
    expect(() => overlay.create('one')).toThrow('exists already')
    expect(() => overlay.remove('two')).toThrow('no file two')
  })

  test('lets go of the folder below if it is the one who opened it', async () => {
    let closed = 0
    const below = folder({ one: 'first' })
    const watched = { ...below, list: () => below.list(), close: () => Promise.resolve(void closed++) }
    await overlayFiles(watched).close()
    expect(closed).toBe(0)
    const files = await overlayLog({ name: 'log', open: () => Promise.resolve(watched) }).open()
    await files.close()
    expect(closed).toBe(1)
  })
})
