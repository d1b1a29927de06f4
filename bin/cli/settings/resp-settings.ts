/** `--resp`: where clients of Redis are served, and what keys mean where nothing says so. */
import type { RespServerOptions } from '../../../adapters/resp/index.ts'
import { UsageError } from '../program/failure.ts'
import type { Config } from './config.ts'

export interface RespFlags {
  readonly resp?: string
}

export const RESP_OPTION = {
  flags: '--resp <host:port>',
  about:
    'serve clients of Redis there; where nothing says what the keys mean, every key is a redis() value; beyond this machine with the password in WARP_RESP_PASSWORD',
} as const

/** Every key holds what Redis would hold, and no more: what it held before is not kept. */
const EVERY_KEY = { '*': { strategy: 'redis', retain: 'latest' } }

/** The settings with keys, for whoever serves clients of Redis. */
export function withRespKeys(config: Config, { resp }: RespFlags): Config {
  return resp === undefined || Object.keys(config.keys).length > 0 ? config : { ...config, keys: EVERY_KEY }
}

/** `undefined` if nobody is served. Throws `UsageError`. */
export function respOptions({ resp }: RespFlags, environment: NodeJS.ProcessEnv): RespServerOptions | undefined {
  if (resp === undefined) return undefined
  const [, inBrackets, plain, digits] = /^(?:\[([^\]]+)\]:|([^:]*):)?(\d+)$/.exec(resp) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535)
    throw new UsageError(`--resp ${resp}: it is HOST:PORT, such as 127.0.0.1:6379`)
  const host = inBrackets ?? plain ?? ''
  const password = environment['WARP_RESP_PASSWORD']
  return { port, ...(host === '' ? {} : { host }), ...(password === undefined ? {} : { password }) }
}
