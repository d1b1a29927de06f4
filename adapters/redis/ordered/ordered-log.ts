/** `redisOrderedLog`: the options, checked, and the log that is opened with them. */
import { WarpError } from '../../../src/index.ts'
import type {
  OrderedLog,
  OrderedLogLink,
  OrderedLogPromises,
  OrderedLogReceiver,
} from '../../../src/ports/ordered-log.ts'
import { randomHex } from '../../broker/platform-clock.ts'
import { Connection, connectionError, type Lines } from '../connection.ts'
import { logKeyOf } from './asking.ts'
import { factsOf, promisesOf } from './fitness.ts'
import { RedisLogLink } from './log-link.ts'
import { orderedLogSettings, type RedisOrderedLogOptions, type RedisOrderedLogSettings } from './options.ts'
import { OPEN, SCRIPTS } from './scripts.ts'

/**
 * An ordered log in Streams of one Redis or Valkey with an append-only file: a stream for each
 * partition, in which a script gives each record its place.
 *
 * ```ts
 * redisOrderedLog({ url: 'redis://10.0.0.1:6379', prefix: 'orders' })
 * ```
 * Throws `WARP_E_CONFIG`. `open` rejects with `WARP_E_BROKER_UNFIT` where the server is known to lose
 * records, with `WARP_E_TRANSPORT` where nobody answers, and with `WARP_E_AUTH`.
 */
export function redisOrderedLog(options: RedisOrderedLogOptions): OrderedLog {
  const settings = orderedLogSettings(options)
  return { kind: 'ordered', name: settings.name, open: (receiver) => open(settings, receiver) }
}

interface Opened {
  readonly identity: string
  readonly promises: OrderedLogPromises
}

async function open(settings: RedisOrderedLogSettings, receiver: OrderedLogReceiver): Promise<OrderedLogLink> {
  const { name: what, server, clock, pingMs } = settings
  const links: RedisLogLink[] = []
  let opened: Opened | undefined
  const prepare = async (lines: Lines): Promise<void> => {
    try {
      const promises = await fitPromises(settings, lines)
      for (const { source } of SCRIPTS) await lines.commands.script('LOAD', source)
      opened ??= { promises, identity: await identityOf(settings, lines) }
      lines.subscriptions.on('message', (_channel: string, partition: string) => links[0]?.wake(Number(partition)))
      await lines.subscriptions.subscribe(`${settings.prefix}:${opened.identity}`)
    } catch (error) {
      if (error instanceof WarpError) throw error
      throw connectionError(`${what}: preparing the connection did not succeed: ${String(error)}`, error)
    }
  }
  const connection = new Connection({ what, server, clock, pingMs, prepare })
  await connection.open()
  const link = new RedisLogLink({ settings, connection, receiver, ...opened! })
  links.push(link)
  return link
}

/** Also of a server that is there again: it may have been started with other settings. */
async function fitPromises(settings: RedisOrderedLogSettings, { commands }: Lines): Promise<OrderedLogPromises> {
  const { name, acceptFailoverLoss } = settings
  const facts = await factsOf(commands, Boolean(commands.options.sentinels))
  return promisesOf(name, facts, acceptFailoverLoss)
}

/** Of the log that is there, or is made now. Throws `WARP_E_CONFIG`. */
async function identityOf(settings: RedisOrderedLogSettings, { commands }: Lines): Promise<string> {
  const { prefix, partitions, name, clock } = settings
  const asked = [logKeyOf(prefix), randomHex(clock, 8), partitions]
  const [identity, has] = (await commands.evalsha(OPEN.digest, 1, ...asked)) as string[]
  if (Number(has) !== partitions) {
    const message = `${name}: the log has ${has} partitions, and partitions is ${partitions}; give ${has}`
    throw new WarpError('WARP_E_CONFIG', message, { details: { option: 'partitions' } })
  }
  if (identity === undefined || !/^[0-9a-f]{16}$/.test(identity))
    throw new WarpError('WARP_E_CONFIG', `${name}: ${logKeyOf(prefix)} is no log of Warp; choose another prefix`)
  return identity
}
