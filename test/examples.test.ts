/** Every folder of `examples/` runs by itself, tells its story and leaves nothing behind. */
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { temporaryFolder } from './support/temporary-folder.ts'
import { describeOn } from './support/servers.ts'
import { ROOT, readFile } from './support/tidy/source-tree.ts'

const run = promisify(execFile)
const EXAMPLES = path.join(ROOT, 'examples')

/** What each of them says, in this order, among other things. */
const STORIES: Readonly<Record<string, readonly string[]>> = {
  audit: ['version 3: delete', 'at version 3: undefined', 'superseded, won', 'the log is whole: true'],
  'custom-merge': ['after the heal', 'says the same: true', 'concurrent with the other side', 'WARP_E_MERGE'],
  'feature-flags': ['on for 10 %', 'still have it: true', 'on for 100 %', '1000 of 1000'],
  leaderboard: ["player: 'ada', points: 70", "player: 'ada', points: 90", 'the same: true'],
  'rate-limiter': ['true, true, true', 'true, true, false', 'somebody else: true', 'next window: true'],
  'read-through': ['price: 20', 'a hundred readers', 'price: 15', 'views in the store: 50'],
  'session-store': ['one: who are you?', 'one: welcome, ada', 'two: hello ada', 'two: good-bye', 'one: who are you?'],
  'shopping-cart': [
    'cannot sell 5 apples: it may sell 4',
    'apples: 6',
    '1 apple in stock',
    'apples: 6',
    '1 apple in stock',
  ],
}
const names = Object.keys(STORIES)

test('each has a story here, and a row in examples/README.md', () => {
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((one) => one.isDirectory())
  expect(folders.map(({ name }) => name).sort()).toEqual(names)
  const rows = [...readFile('examples/README.md').text.matchAll(/^\| \[([\w-]+)\]\(\1\/index\.mjs\)/gm)]
  expect(rows.map(([, name]) => name).sort()).toEqual(names)
})

describe.each(names)('%s', (name) => {
  test('can be copied: it imports packages that are named, and Node', () => {
    const { text } = readFile(`examples/${name}/index.mjs`)
    const imported = [...text.matchAll(/^import .*from '([^']+)'$/gm)].map(([, specifier = '']) => specifier)
    const known = [manifest.name, ...Object.keys(manifest.devDependencies)]
    const isKnown = (specifier: string): boolean =>
      specifier.startsWith('node:') || known.some((one) => specifier === one || specifier.startsWith(`${one}/`))
    expect(imported.filter((specifier) => !isKnown(specifier))).toEqual([])
    expect(text).toContain(`node examples/${name}/index.mjs`)
  })

  test('tells its story, ends by itself, and leaves nothing behind', async () => {
    const folder = temporaryFolder()
    const temporary = path.join(folder, 'tmp')
    mkdirSync(temporary)
    const env = { ...process.env, TMPDIR: temporary }
    const { stdout, stderr } = await run(process.execPath, [path.join(EXAMPLES, name, 'index.mjs')], {
      cwd: folder,
      env,
    })
    const told: string[] = []
    let from = 0
    for (const line of STORIES[name] ?? []) {
      const at = stdout.indexOf(line, from)
      if (at < 0) continue
      told.push(line)
      from = at + line.length
    }
    expect(told, stdout).toEqual(STORIES[name])
    expect(stderr).toBe('')
    expect([readdirSync(folder), readdirSync(temporary)]).toEqual([['tmp'], []])
  })
})

describeOn('postgres', 'read-through, with a real PostgreSQL', (url) => {
  test('tells the same story', async () => {
    const env = { ...process.env, DATABASE_URL: url }
    const { stdout, stderr } = await run(process.execPath, [path.join(EXAMPLES, 'read-through/index.mjs')], { env })
    expect(stdout).toContain('price: 15')
    expect(stdout).toContain('views in the store: 50')
    expect(stderr).toBe('')
  })
})
