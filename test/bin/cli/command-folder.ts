/** A current folder for commands, with a configuration in it. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { temporaryFolder } from '../../support/temporary-folder.ts'

export const KEYS = {
  'user:*': 'register',
  'visits:*': 'counter',
  'cart:*': 'set',
  'seats:*': { map: 'counter' },
} as const

export interface CommandFolder {
  readonly cwd: string
}

export function commandFolder(config: object = { keys: KEYS }): CommandFolder {
  const cwd = temporaryFolder()
  writeFileSync(path.join(cwd, 'warp.config.json'), JSON.stringify(config))
  return { cwd }
}
