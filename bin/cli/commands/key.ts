/** `warp key`. */
import { randomBytes } from 'node:crypto'
import { command, type AnyCommand } from '../program/command.ts'

const KEY_BYTES = 32

export const KEY_COMMAND: AnyCommand = command({
  name: 'key',
  summary: 'print a new random cluster key',
  details:
    '32 bytes in base64url. All replicas of a cluster have the same. Keep it in a file that only they read (mesh.clusterKeyFile, --key-file) or in ' +
    'the environment (WARP_CLUSTER_KEY).',
  examples: ['key > cluster.key'],
  async run({ output }) {
    const key = randomBytes(KEY_BYTES).toString('base64url')
    await (output.isJson ? output.json(key) : output.line(key))
    return undefined
  },
})
