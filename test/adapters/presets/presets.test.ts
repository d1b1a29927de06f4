/** What the presets set, what openWarp makes of it, and that docs/presets.md says so. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { openWarp } from '../../../adapters/node/index.ts'
import { memoryPreset, meshPreset } from '../../../adapters/presets/index.ts'
import { meshOptions } from '../../../adapters/presets/mesh-preset.ts'
import { processWarnings, SHOWN_MAX, WHILE_MS } from '../../../adapters/presets/process-warnings.ts'
import type { WarpEvent } from '../../../src/index.ts'
import { register } from '../../../crdt/register.ts'
import { set } from '../../../crdt/set.ts'
import { freePort } from '../../support/free-port.ts'
import { refused } from '../../support/refused.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { readFile } from '../../support/tidy/source-tree.ts'

const keys = { 'page:*': register<string>(), 'cart:*': set<string>() }
const keyring = '5bd1e995'.repeat(8)

describe('docs/presets.md', () => {
  const rows = defaultsOf(readFile('docs/presets.md').text)

  test('says what the presets set', () => {
    expect(rows).toEqual(rows.map(({ option, given }) => ({ option, given, ...settings(given)[option] })))
  })

  test('says everything that they set', () => {
    const named = rows.map(({ option }) => option)
    for (const given of [{}, { persist: './data' }, { peers: ['10.0.0.2'] }])
      expect(Object.keys(settings(given)).filter((option) => !named.includes(option))).toEqual([])
  })
})

describe('memoryPreset', () => {
  test('opens an engine that knows the types of its keys', async () => {
    const warp = await openWarp(memoryPreset({ name: 'shop', keys }))
    onTestFinished(() => warp.close())
    await warp.set('page:1', 'one')
    const page: string | undefined = warp.peek('page:1')
    expect([page, warp.name, warp.capabilities().persistent]).toEqual(['one', 'shop', false])
    // @ts-expect-error: a page is a text
    await warp.set('page:2', 2)
  })

  test('with a folder, what was written outlives the engine, and a receipt says that it will', async () => {
    const preset = memoryPreset({ keys, persist: temporaryFolder() })
    const first = await openWarp(preset)
    expect(await first.set('page:1', 'one')).toMatchObject({ ack: 'logged' })
    await first.close()
    const second = await openWarp(preset)
    onTestFinished(() => second.close())
    expect(await second.get('page:1')).toBe('one')
  })

  test('one thing is changed by spreading', async () => {
    const warp = await openWarp({ ...memoryPreset({ keys }), copies: { entriesMax: 7 } })
    onTestFinished(() => warp.close())
    expect(warp.capabilities().acks).toEqual(['memory'])
  })
})

describe('meshPreset', () => {
  const onLoopback = async (peers: readonly string[], given: string | readonly string[]) => {
    const port = await freePort()
    const options = meshPreset({
      keys,
      keyring: given,
      host: '127.0.0.1',
      port,
      peers,
      multicast: false,
      logger: false,
    })
    const warp = await openWarp(options)
    onTestFinished(() => warp.close())
    return { warp, address: `127.0.0.1:${port}`, mesh: options.transports[0] }
  }

  test('every key of a keyring goes to the mesh', () => {
    const both = ['0a5b1e99'.repeat(8), keyring]
    expect(meshOptions({ keys, keyring: both }).clusterKey).toEqual(both)
  })

  test('replicas find each other by their peers, also while a key is replaced', async () => {
    const newer = '0a5b1e99'.repeat(8)
    const a = await onLoopback([], [newer, keyring])
    const b = await onLoopback([a.address], [keyring, newer])
    const changes = b.warp.watch('page:*')[Symbol.asyncIterator]()
    await a.warp.set('page:1', 'from a')
    await changes.next()
    expect(await b.warp.get('page:1')).toBe('from a')
    a.mesh.useKeys([newer])
    expect(b.mesh.members()).toHaveLength(1)
  })
})

describe('events', () => {
  const event = { kind: 'storage-full', error: new Error('no space') } as unknown as WarpEvent

  test('that matter are warnings of the process, others are not', async () => {
    const { observe } = memoryPreset({ keys })
    const warned: Error[] = []
    const told = new Promise<void>((resolve) => {
      const listen = (warning: Error): void => {
        warned.push(warning)
        if (warning.message.startsWith('warp: storage-full')) resolve()
      }
      process.on('warning', listen)
      onTestFinished(() => void process.off('warning', listen))
    })
    observe?.({ kind: 'compacted' } as WarpEvent)
    observe?.(event)
    await told
    expect(warned.at(-1)).toMatchObject({ name: 'WarpWarning', message: expect.stringContaining('no space') })
    expect(warned.filter(({ message }) => message.includes('compacted'))).toEqual([])
  })

  test('of one kind are shown a few at a time, and then how many more there were', async () => {
    let nowMs = 0
    const warned: string[] = []
    const listen = ({ message }: Error): void => void warned.push(message)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
    const logger = processWarnings(() => nowMs)
    for (let i = 0; i < 1000; i++) logger.warn('warp: load:failed', { i })
    logger.error('warp: primary:failing', {})
    nowMs += WHILE_MS
    for (let i = 0; i < 2; i++) logger.warn('warp: load:failed', { i })
    await new Promise((resolve) => setImmediate(resolve))
    const failed = warned.filter((message) => message.startsWith('warp: load:failed'))
    expect(failed).toHaveLength(SHOWN_MAX + 2)
    expect(failed[SHOWN_MAX]).toContain(`(and ${1000 - SHOWN_MAX} more of this kind`)
    expect(failed.at(-1)).not.toContain('more of this kind')
    expect(warned.filter((message) => message.startsWith('warp: primary:failing'))).toHaveLength(1)
  })

  test('go to a logger that is given, or to nobody', () => {
    const told: unknown[] = []
    const tell = (message: unknown): number => told.push(message)
    memoryPreset({ keys, logger: { error: tell, warn: tell, info: tell, debug: tell } }).observe?.(event)
    expect(told).toEqual(['warp: storage-full'])
    expect(memoryPreset({ keys, logger: false }).observe).toBeUndefined()
  })
})

describe('what they do not take', () => {
  test.each([
    ['an option that does not exist', { keys, persit: './data' }, 'WARP_E_CONFIG', "did you mean 'persist'?"],
    ['a folder that is none', { keys, persist: 5 }, 'WARP_E_CONFIG', 'persist is'],
    ['a logger that is none', { keys, logger: true }, 'WARP_E_CONFIG', 'or false'],
    ['nothing at all', undefined, 'WARP_E_CONFIG', 'needs options'],
    ['no keyring', { keys }, 'WARP_E_AUTH', 'the keyring is empty'],
    ['an empty keyring', { keys, keyring: [] }, 'WARP_E_AUTH', 'the keyring is empty'],
    ['a key that is none', { keys, keyring: 'secret' }, 'WARP_E_AUTH', ''],
  ])('%s', (_, options, code, message) => {
    const error = refused(() => meshPreset(options as Parameters<typeof meshPreset>[0]))
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
  })
})

interface Row {
  readonly option: string
  readonly given: Given
  readonly memoryPreset?: string
  readonly meshPreset?: string
}

interface Given {
  readonly persist?: string
  readonly peers?: readonly string[]
}

const GIVEN: Readonly<Record<string, Given>> = { persist: { persist: './data' }, peers: { peers: ['10.0.0.2'] } }

/** The table of all defaults. A row may say of an option what it is *with* another one. */
function defaultsOf(text: string): Row[] {
  const table = text.slice(text.indexOf('## All defaults'))
  const lines = table.split('\n').filter((line) => line.startsWith('| `'))
  return lines.map((line) => {
    const [, name = '', , inMemory = '', inMesh = ''] = line.split('|').map((cell) => cell.trim())
    const [, option = '', other] = /^`([^`]+)`(?: with `([^`]+)`)?$/.exec(name) ?? []
    return { option, given: GIVEN[other ?? ''] ?? {}, memoryPreset: inMemory, meshPreset: inMesh }
  })
}

/** What each preset sets, by the option's path, in the words of the document. */
function settings(given: Given): Record<string, Pick<Row, 'memoryPreset' | 'meshPreset'>> {
  const { peers, ...common } = given
  const ofMesh = { ...common, ...(peers === undefined ? {} : { peers }), keys, keyring }
  const { transports: _, ...inMesh } = meshPreset(ofMesh)
  const { clusterKey: __, ...mesh } = meshOptions(ofMesh)
  const columns = { memoryPreset: leaves(memoryPreset({ ...common, keys })), meshPreset: leaves({ ...inMesh, mesh }) }
  const options = new Set([...Object.keys(columns.memoryPreset), ...Object.keys(columns.meshPreset)])
  const shown = (found: string | undefined, option: string): string =>
    found ?? (option === 'log' ? 'in memory' : 'not set')
  return Object.fromEntries(
    [...options, 'log'].map((option) => [
      option,
      {
        memoryPreset: shown(columns.memoryPreset[option], option),
        meshPreset: shown(columns.meshPreset[option], option),
      },
    ]),
  )
}

function leaves(options: object, path = ''): Record<string, string> {
  return Object.assign(
    {},
    ...Object.entries(options)
      .filter(([name]) => name !== 'keys')
      .map(([name, value]: [string, unknown]) => {
        const isGroup = ['cache', 'copies', 'replication', 'mesh'].includes(name)
        return isGroup ? leaves(value as object, `${name}.`) : { [path + name]: inWords(name, value) }
      }),
  ) as Record<string, string>
}

function inWords(name: string, value: unknown): string {
  if (name === 'multicast') return value === false ? 'off' : 'on'
  if (typeof value === 'number') return value.toLocaleString('en')
  if (typeof value === 'string') return `\`'${value}'\``
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ')
  if (name === 'log') return 'on disk'
  return typeof value === 'function' ? 'a function' : `a ${typeof value}`
}
