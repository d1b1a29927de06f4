/**
 * What any runtime has to do, in a few seconds: two replicas on disk meet over the mesh, write,
 * converge, are closed and opened again; a folder that is held is refused.
 *
 *     node tools/runtimes/smoke.mjs LIB      LIB: the folder of the bundles
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const CONVERGE_MS_MAX = 30_000

const lib = process.argv[2] ?? ''
/** @param {string} name */
const entry = (name) => import(pathToFileURL(path.join(lib, `${name}.js`)).href)
const { openWarp } = await entry('index')
const { fileLog } = await entry('file')
const { meshTransport } = await entry('mesh')
const { counter, register } = await entry('crdt')

const folder = mkdtempSync(path.join(tmpdir(), 'warp-smoke-'))
const keys = { 'r:*': register(), 'c:*': counter() }
const large = 'x'.repeat(300_000)

/**
 * @param {string} name
 * @param {readonly string[]} peers
 */
async function open(name, peers) {
  const mesh = meshTransport({ host: '127.0.0.1', port: 0, insecure: true, multicast: false, peers })
  const warp = await openWarp({ keys, name, log: fileLog({ path: path.join(folder, name) }), transports: [mesh] })
  return { warp, address: mesh.address }
}

const a = await open('a', [])
const b = await open('b', [a.address])
await a.warp.set('r:small', 1)
await a.warp.set('r:large', large, { ack: 'durable' })
await a.warp.key('c:1').increment(2)
await b.warp.key('c:1').increment(3)
const until = performance.now() + CONVERGE_MS_MAX
const isEqual = async () =>
  (await b.warp.get('r:small')) === 1 &&
  (await b.warp.get('r:large')) === large &&
  (await a.warp.get('c:1')) === 5 &&
  (await b.warp.get('c:1')) === 5
while (!(await isEqual())) {
  if (performance.now() > until) throw new Error('the replicas do not converge')
  await new Promise((resolve) => setTimeout(resolve, 10))
}
const refused = await open('b', []).then(
  () => 'opened',
  (/** @type {unknown} */ error) => /** @type {{ code?: string }} */ (error).code,
)
if (refused !== 'WARP_E_LOG_LOCKED') throw new Error(`a folder that is held: ${refused}`)
await b.warp.close()
await a.warp.close()
const again = await openWarp({ keys, log: fileLog({ path: path.join(folder, 'b') }) })
if ((await again.get('c:1')) !== 5) throw new Error('what was stored is not there')
await again.close()
rmSync(folder, { recursive: true })
console.log('ok')
