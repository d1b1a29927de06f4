/** A process whose engine nobody has closed. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { meshTransport } from '../../../adapters/mesh/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/register.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const DIST = new URL('../../../dist/', import.meta.url).href

/** Opens, writes, waits until the peer holds it, and closes nothing. */
const PROGRAM = `
  const { openWarp } = await import('${DIST}adapters/node/index.js')
  const { meshTransport } = await import('${DIST}adapters/mesh/index.js')
  const { fileLog } = await import('${DIST}adapters/file/index.js')
  const { register } = await import('${DIST}crdt/register.js')
  const [folder, peer] = process.argv.slice(-2)
  const mesh = meshTransport({ port: 0, insecure: true, multicast: { port: 17_957 }, peers: [peer], unref: true })
  const warp = await openWarp({ keys: { '*': register() }, log: fileLog({ path: folder }), transports: [mesh] })
  const alive = setInterval(() => undefined, 60_000)
  await warp.set('large', 'x'.repeat(200_000), { acks: { replicas: 2, level: 'memory' } })
  clearInterval(alive)
  console.log('written')
`

test('ends when nothing else keeps it, if its mesh is to let it go, though it has met others', async () => {
  const transport = meshTransport({ port: 0, insecure: true, multicast: false })
  const warp = await openWarp({ keys: { '*': register() }, transports: [transport] })
  const parameters = ['--input-type=module', '--eval', PROGRAM, '--', temporaryFolder(), transport.address ?? '']
  const { stdout, stderr } = await promisify(execFile)(process.execPath, parameters)
  expect([stdout, stderr]).toEqual(['written\n', ''])
  expect(await warp.get('large')).toHaveLength(200_000)
  await warp.close()
}, 60_000)
