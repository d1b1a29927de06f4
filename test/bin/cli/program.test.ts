/** The program around the commands: help, mistakes, exit codes, configurations, signals, readers that leave. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { COMMANDS } from '../../../bin/cli/program/commands.ts'
import { cliDocument } from '../../../bin/cli/program/document.ts'
import { register } from '../../../crdt/index.ts'
import { WARP, warp, warpJson, warpOk, withoutProgress } from '../../support/cli.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { ROOT, readFile } from '../../support/tidy/source-tree.ts'
import { commandFolder } from './command-folder.ts'

const run = promisify(execFile)

describe('help', () => {
  test('docs/cli.md says what the command says', () => {
    expect(readFile('docs/cli.md').text).toBe(cliDocument(COMMANDS))
  })

  test('every command has its line and its chapter', async () => {
    const help = await warpOk(['--help'])
    for (const { name, summary } of COMMANDS) {
      expect(help.replaceAll(/\s+/g, ' ')).toContain(summary)
      expect(readFile('docs/cli.md').text).toContain(`### warp ${name}\n`)
    }
  })

  test('nothing asked for is a usage error that shows the help', async () => {
    expect(await warp([])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Usage: warp') })
  })

  test('the version is the package’s', async () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
    expect(await warpOk(['--version'])).toBe(`${version}\n`)
  })
})

describe('mistakes', () => {
  test.each([
    [['expalin', 'user:1'], 'Did you mean explain?'],
    [['get', 'user:1', '--jsn'], 'Did you mean --json?'],
    [['get'], "missing required argument 'key'"],
    [['get', 'a', 'b'], 'too many arguments'],
    [['get', 'a', '--config', 'nowhere.json'], '--config nowhere.json: there is no such file'],
    [['get', 'a', '--key', 'user'], 'it is PATTERN=STRATEGY'],
    [['get', 'a', '--key', 'user:*={]}'], '--key user:*={]}'],
    [['completion', 'tcsh'], "there is no completion for 'tcsh'"],
  ])('%j: %s', async (parameters, message) => {
    const { code, stdout, stderr } = await warp(parameters)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^warp: USAGE: /)
    expect(stderr).toContain(message)
  })

  test('are JSON where everything is', async () => {
    const { code, stderr } = await warp(['gte', 'user:1', '--json'])
    expect([code, JSON.parse(stderr)]).toEqual([
      2,
      { error: { code: 'USAGE', message: "unknown command 'gte' (Did you mean get?)" } },
    ])
  })
})

describe('a configuration', () => {
  test.each([
    ['{', 'it cannot be read'],
    ['[]', 'it holds no object'],
    ['{"kyes":{}}', "there is no setting 'kyes'; there are data, keys, mesh"],
    ['{"keys":[]}', 'keys is no object'],
    ['{"keys":{"a":"sett"}}', "'a' has the strategy 'sett'; give one of register, multiValue"],
    ['{"keys":{"a":"constructor"}}', "'a' has the strategy 'constructor'"],
    ['{"keys":{"a":{"strategy":"set","ttlMs":-1}}}', "'a' has ttlMs -1"],
    ['{}', 'has no keys; give --key'],
  ])('%s: %s', async (text, message) => {
    const cwd = temporaryFolder()
    mkdirSync(path.join(cwd, 'data'))
    writeFileSync(path.join(cwd, 'warp.config.json'), text)
    const { code, stderr } = await warp(['get', 'a'], { cwd })
    expect(stderr).toMatch(/^warp: WARP_E_CONFIG: /)
    expect(stderr).toContain(message)
    expect(code).toBe(3)
  })

  test('that is no JSON is not quoted: a secret may stand there', async () => {
    const { cwd } = commandFolder()
    writeFileSync(path.join(cwd, 'bad.json'), '{"mesh":{"clusterKey": SECRET}}')
    const { code, stderr } = await warp(['get', 'user:1', '--config', 'bad.json'], { cwd })
    expect(code).toBe(3)
    expect(stderr).toContain('it cannot be read')
    expect(stderr).not.toContain('SECRET')
    expect(stderr).not.toContain('sterKey')
  })

  test('that is a module runs only if it is named, wherever it lies', async () => {
    const { cwd } = commandFolder()
    rmSync(path.join(cwd, 'warp.config.json'))
    const trap = `console.log('it ran'); export const keys = { 'user:*': 'register' }`
    const inData = path.join(cwd, 'data', 'warp.config.mjs')
    mkdirSync(path.join(cwd, 'data'), { recursive: true })
    writeFileSync(inData, trap)
    for (const command of [
      ['verify', 'data'],
      ['keys', '--data', 'data'],
      ['get', 'user:1'],
    ]) {
      const { stdout, stderr } = await warp(command, { cwd })
      expect(stdout + stderr).not.toContain('it ran')
    }
    const here = path.join(cwd, 'warp.config.mjs')
    writeFileSync(here, trap)
    const refused = await warp(['set', 'user:1', '1'], { cwd })
    expect([refused.code, refused.stdout]).toEqual([3, ''])
    expect(refused.stderr).toContain('give --config warp.config.mjs')
    expect(await warpOk(['set', 'user:1', '1', '--config', here], { cwd })).toContain('it ran')
  })

  test('a module brings strategies of its own, also one in the data’s folder', async () => {
    const cwd = temporaryFolder()
    const data = path.join(cwd, 'elsewhere')
    const config = path.join(cwd, 'keys.mjs')
    mkdirSync(path.join(cwd, 'node_modules'))
    symlinkSync(ROOT, path.join(cwd, 'node_modules/warp-engine'), 'junction')
    writeFileSync(
      config,
      `import { custom } from 'warp-engine/crdt'
       export const data = './elsewhere'
       export const keys = { 'notes:*': custom((old = [], next) => [...old, ...next]), 'city:*': 'register' }`,
    )
    for (const note of ['["a"]', '["b"]']) await warpOk(['set', 'notes:1', note, '--config', config], { cwd: '/' })
    copyFileSync(config, path.join(data, 'warp.config.mjs'))
    const there = ['--config', path.join(data, 'warp.config.mjs')]
    expect(await warpJson(['get', 'notes:1', '--data', data, ...there], { cwd: '/' })).toEqual([['a', 'b']])
    const flags = ['--config', config, '--key', 'city:*={"map":{"visits":"counter"}}']
    await warpOk(['do', 'city:1', 'update', 'visits', 'increment', '2', ...flags], { cwd })
    expect(await warpOk(['get', 'city:1', ...flags], { cwd })).toBe('{ visits: 2 }\n')
  })
})

test('a folder that is held by a process that does not listen ends with 4', async () => {
  const folder = commandFolder()
  const holder = await openWarp({
    keys: { 'user:*': register() },
    log: fileLog({ path: path.join(folder.cwd, 'data') }),
  })
  const { code, stderr } = await warp(['get', 'user:1', '--json'], folder)
  await holder.close()
  expect(code).toBe(4)
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'WARP_E_LOG_LOCKED', details: { pid: process.pid } } })
})

test('a command waits for another one that holds the folder', async () => {
  const folder = commandFolder()
  const writes = Array.from({ length: 4 }, (_, i) => warpOk(['set', `user:${i}`, 'x'], folder))
  await Promise.all(writes)
  expect((await warpOk(['keys'], folder)).trim().split('\n').sort()).toEqual(['user:0', 'user:1', 'user:2', 'user:3'])
})

test('a folder of something else is refused and left alone', async () => {
  const folder = commandFolder()
  const data = path.join(folder.cwd, 'data')
  mkdirSync(data)
  writeFileSync(path.join(data, 'segment-0000000001'), 'my diary')
  expect(await warp(['get', 'user:1'], folder)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('WARP_E_LOG'),
  })
  expect(readFileSync(path.join(data, 'segment-0000000001'), 'utf8')).toBe('my diary')
})

test('a reader that leaves ends a command without a word', async () => {
  const folder = commandFolder()
  const data = path.join(folder.cwd, 'data')
  const keys = { 'user:*': register<string>() }
  await using engine = await openWarp({ keys, log: fileLog({ path: data }) })
  const long = '.'.repeat(900)
  for (let i = 0; i < 2000; i++) void engine.set(`user:${long}${i}`, 'x')
  await engine.close()
  const child = spawn(process.execPath, [WARP, 'keys'], { ...folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (text) => (stderr += text))
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const [code] = await once(child, 'close')
  expect([code, withoutProgress(stderr)]).toEqual([0, ''])
  expect(await warp(['get', `user:${long}7`], folder)).toMatchObject({ code: 0, stdout: 'x\n' })
})

test.skipIf(!existsSync('/dev/full'))('what cannot be written ends a command with its error', async () => {
  const folder = commandFolder()
  await warpOk(['set', 'user:1', '1'], folder)
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [WARP, 'keys'], { ...folder, stdio: ['ignore', full, 'pipe'] })
  closeSync(full)
  let stderr = ''
  child.stderr?.on('data', (text) => (stderr += text))
  const [code] = await once(child, 'close')
  expect([code, stderr]).toEqual([3, expect.stringMatching(/^warp: ENOSPC: /)])
})

test('a key is one line, whatever is in it', async () => {
  const folder = commandFolder()
  await warpOk(['set', 'user:1\nuser:\x1b[2Jfake', 'x'], folder)
  expect(await warpOk(['keys'], folder)).toBe('user:1\\nuser:\\u001b[2Jfake\n')
})

test('demo hands on what it is given', async () => {
  const help = await warpOk(['demo', '--help'])
  expect(help).toContain('--trace FILE')
  const { code, stderr } = await warp(['demo', '--strategy', 'yjs'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('--strategy goes with --trace')])
})

describe('stats, key and completion', () => {
  test('stats counts', async () => {
    const folder = commandFolder()
    await warpOk(['set', 'user:1', 'x'], folder)
    expect(await warpJson(['stats'], folder)).toMatchObject([{ keysCount: 1, log: { operationsCount: 1 }, peers: [] }])
    expect(await warpOk(['stats'], folder)).toMatch(/^ {2}log .*\n.*\n {2}operations +1$/m)
    expect(await warpOk(['peers'], folder)).toBe('no peers: no replica runs on this folder\n')
  })

  test('a key is new each time, and 32 bytes', async () => {
    const keys = [await warpOk(['key']), ...(await warpJson(['key']))].map(String)
    expect(keys.map((key) => Buffer.from(key.trim(), 'base64url').length)).toEqual([32, 32])
    expect(new Set(keys).size).toBe(2)
  })

  test('bash completes commands and their options', async () => {
    const script = await warpOk(['completion', 'bash'])
    const completed = async (...words: readonly string[]): Promise<string[]> => {
      const set = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`
      const { stdout } = await run('bash', ['-c', `${script}\n${set}\n_warp\nprintf '%s\\n' "\${COMPREPLY[@]}"`])
      return stdout.trim().split('\n')
    }
    expect(await completed('warp', 'ex')).toEqual(expect.arrayContaining(['explain']))
    expect(await completed('warp', 'st')).toEqual(['start', 'stats'])
    expect(await completed('warp', 'log', '--f')).toEqual(expect.arrayContaining(['--from', '--full-ids']))
    expect(await completed('warp', 'start', '--no-')).toEqual(['--no-multicast', '--no-mesh'])
    expect(await completed('warp', 'help', 'expl')).toEqual(['explain'])
    expect(await completed('warp', 'get', 'user')).toEqual([''])
  })

  test.each(['zsh', 'fish'])('%s gets a script with every command', async (shell) => {
    const script = await warpOk(['completion', shell])
    for (const { name } of COMMANDS) expect(script).toContain(name)
  })
})

test.skipIf(process.platform === 'win32')(
  'help and version end without a word when their reader has gone',
  async () => {
    for (const asked of ['--help', 'log --help', '--version', 'completion bash']) {
      const { code, stderr } = await throughShell(`"$0" "$1" ${asked} | true; exit "\${PIPESTATUS[0]}"`)
      expect([asked, code, stderr]).toEqual([asked, 0, ''])
    }
  },
)

/** In bash, with Node as `$0` and the program as `$1`. */
function throughShell(script: string): Promise<{ readonly code: number; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile('bash', ['-c', script, process.execPath, WARP], (error, _, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stderr })
    })
  })
}
