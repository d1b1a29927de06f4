/** A sidecar in this process, for one check that runs in another one. */
import { spawn } from 'node:child_process'

const SHOWN_CHARACTERS = 2000

/** @param {string} dist the address of the built package */
export async function startSidecar(dist) {
  const [{ openWarp }, { redis }, { respServer }] = await Promise.all(
    ['adapters/node/index.js', 'crdt/index.js', 'adapters/resp/index.js'].map((name) => import(`${dist}/${name}`)),
  )
  const warp = await openWarp({ keys: { '*': redis() } })
  const server = await respServer(warp, {
    port: 0,
    onError: (/** @type {Error} */ error) => console.error('sidecar:', error),
  })
  return {
    port: server.port,
    run,
    async close() {
      await server.close()
      await warp.close()
    },
  }
}

/**
 * @param {readonly [string, ...string[]]} command
 * @param {{ cwd: string, env: Record<string, string>, deadlineMs: number }} options
 * @returns {Promise<{ failure: string }>} `failure` is empty when all went well
 */
function run([program, ...parameters], { cwd, env, deadlineMs }) {
  return new Promise((resolve) => {
    const child = spawn(program, parameters, { cwd, env: { ...process.env, ...env }, timeout: deadlineMs })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)))
    child.on('error', (error) => resolve({ failure: error.message }))
    child.on('close', (code, signal) =>
      resolve({ failure: code === 0 ? '' : said.trim().slice(-SHOWN_CHARACTERS) || `ended by ${signal ?? code}` }),
    )
  })
}
