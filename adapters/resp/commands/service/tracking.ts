/** CLIENT TRACKING and its kin: clients with a cache of their own hear which keys have changed. */
import type { Call, Command } from '../../call/command.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { wholeOf } from '../../call/arguments.ts'
import type { ClientTracking, TrackingOptions } from '../../changes/tracking-options.ts'

const BASE = { flags: ['noscript', 'loading', 'stale'], group: 'connection', since: '6.0.0' } as const
const FIRST_OFF = 'before disabling tracking for this client, and then re-enabling it with a different mode.'

export const TRACKING_COMMANDS: readonly Command[] = [
  {
    ...BASE,
    name: 'CLIENT TRACKING',
    arity: -3,
    summary: 'Tells this connection, or another, which keys it has read have changed, by whatever replica.',
    run: track,
  },
  {
    ...BASE,
    name: 'CLIENT CACHING',
    arity: 3,
    summary: 'Says whether the keys of the next command are tracked.',
    run: caching,
  },
  {
    ...BASE,
    name: 'CLIENT TRACKINGINFO',
    arity: 2,
    since: '6.2.0',
    summary: 'What this connection tracks.',
    run: info,
  },
  {
    ...BASE,
    name: 'CLIENT GETREDIR',
    arity: 2,
    summary: 'The connection that hears of changed keys instead of this one.',
    run: ({ reply, client }) => reply.integer(client.tracking?.redirect ?? -1),
  },
]

function track(call: Call, args: readonly string[]): void {
  const { client, core, reply } = call
  const { prefixes, ...options } = optionsOf(call, args)
  const how = args[2]!.toUpperCase()
  if (how === 'OFF') core.changes.tracking.off(client)
  else if (how === 'ON') {
    assertFits(client.tracking, options, prefixes)
    assertApart(client.tracking?.prefixes ?? [], prefixes)
    core.changes.tracking.on(client, { mode: modeOf(options), prefixes, ...options })
  } else throw syntaxError()
  reply.ok()
}

interface Said {
  isBroadcast: boolean
  isOptIn: boolean
  isOptOut: boolean
  isNoLoop: boolean
  redirect: number
  prefixes: string[]
}

function optionsOf({ core }: Call, args: readonly string[]): Said {
  const said: Said = { isBroadcast: false, isOptIn: false, isOptOut: false, isNoLoop: false, redirect: 0, prefixes: [] }
  for (let at = 3; at < args.length; at++) {
    const option = args[at]!.toUpperCase()
    const value = args[at + 1]
    if (option === 'BCAST') said.isBroadcast = true
    else if (option === 'OPTIN') said.isOptIn = true
    else if (option === 'OPTOUT') said.isOptOut = true
    else if (option === 'NOLOOP') said.isNoLoop = true
    else if (option === 'PREFIX' && value !== undefined) said.prefixes.push(args[++at]!)
    else if (option === 'REDIRECT' && value !== undefined) {
      if (said.redirect !== 0) throw new ReplyError('ERR A client can only redirect to a single other client')
      said.redirect = Number(wholeOf(args[++at]!))
      if (!core.clients.has(said.redirect))
        throw new ReplyError('ERR The client ID you want redirect to does not exist')
    } else throw syntaxError()
  }
  return said
}

function modeOf({ isBroadcast, isOptIn, isOptOut }: Omit<Said, 'prefixes'>): TrackingOptions['mode'] {
  if (isBroadcast) return 'broadcast'
  if (isOptIn) return 'opt-in'
  return isOptOut ? 'opt-out' : 'default'
}

function assertFits(
  before: ClientTracking | undefined,
  { isBroadcast, isOptIn, isOptOut }: Omit<Said, 'prefixes'>,
  prefixes: readonly string[],
): void {
  const isSwitched = before !== undefined && (before.mode === 'broadcast') !== isBroadcast
  const isTurned = (isOptIn && before?.mode === 'opt-out') || (isOptOut && before?.mode === 'opt-in')
  const refusals: readonly (readonly [boolean, string])[] = [
    [!isBroadcast && prefixes.length > 0, 'PREFIX option requires BCAST mode to be enabled'],
    [isSwitched, `You can't switch BCAST mode on/off ${FIRST_OFF}`],
    [isBroadcast && (isOptIn || isOptOut), 'OPTIN and OPTOUT are not compatible with BCAST'],
    [isOptIn && isOptOut, "You can't specify both OPTIN mode and OPTOUT mode"],
    [isTurned, `You can't switch OPTIN/OPTOUT mode ${FIRST_OFF}`],
  ]
  const found = refusals.find(([isMeant]) => isMeant)
  if (found !== undefined) throw new ReplyError(`ERR ${found[1]}`)
}

function assertApart(before: readonly string[], given: readonly string[]): void {
  for (const [i, prefix] of given.entries()) {
    const known = before.find((one) => overlap(one, prefix))
    if (known !== undefined) throw overlapping(prefix, 'an existing', known)
    const other = given.slice(i + 1).find((one) => overlap(one, prefix))
    if (other !== undefined) throw overlapping(prefix, 'another provided', other)
  }
}

function overlap(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a)
}

function overlapping(prefix: string, which: string, other: string): ReplyError {
  return new ReplyError(
    `ERR Prefix '${prefix}' overlaps with ${which} prefix '${other}'. Prefixes for a single client must not overlap.`,
  )
}

function caching({ client, reply }: Call, [, , how]: readonly string[]): void {
  const { tracking } = client
  if (tracking === undefined)
    throw new ReplyError(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
    )
  const word = how!.toUpperCase()
  if (word !== 'YES' && word !== 'NO') throw syntaxError()
  const [mode, said] = word === 'YES' ? (['opt-in', 'OPTIN'] as const) : (['opt-out', 'OPTOUT'] as const)
  if (tracking.mode !== mode)
    throw new ReplyError(`ERR CLIENT CACHING ${word} is only valid when tracking is enabled in ${said} mode.`)
  tracking.isSaid = true
  reply.ok()
}

function info({ client, reply }: Call): void {
  const { tracking } = client
  const flags = tracking === undefined ? ['off'] : flagsOf(tracking)
  reply.map(3)
  reply.bulk('flags')
  reply.set(flags.length)
  for (const flag of flags) reply.bulk(flag)
  reply.bulk('redirect')
  reply.integer(tracking?.redirect ?? -1)
  reply.bulk('prefixes')
  reply.bulks(tracking?.prefixes ?? [])
}

function flagsOf({ mode, isSaid, isNoLoop, isBroken }: ClientTracking): string[] {
  const flags = ['on']
  if (mode === 'broadcast') flags.push('bcast')
  if (mode === 'opt-in') flags.push('optin', ...(isSaid ? ['caching-yes'] : []))
  if (mode === 'opt-out') flags.push('optout', ...(isSaid ? ['caching-no'] : []))
  if (isNoLoop) flags.push('noloop')
  if (isBroken) flags.push('broken_redirect')
  return flags
}
