/** Commands of places, which are members of sorted sets. */
import { shownExact } from '../../../../crdt/redis/exact.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import type { KeyView } from '../../call/key-facts.ts'
import { doubleOf } from '../../call/arguments.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { zsetOf } from '../sorted-sets/members.ts'
import { zadd } from '../sorted-sets/sorted-sets.ts'
import { distanceOf, geohashOf, isOnMap, placeOf, scoreOf, type Place } from './places.ts'

const READ = { group: 'geo', keys: FIRST_KEY, flags: ['readonly'], since: '3.2.0' } as const

export const GEO_COMMANDS: readonly Command[] = [
  { ...READ, flags: ['write', 'denyoom'], name: 'GEOADD', arity: -5, summary: 'Puts places in.', run: geoadd },
  { ...READ, name: 'GEOPOS', arity: -2, summary: 'Where places are.', run: geopos },
  { ...READ, name: 'GEODIST', arity: -4, summary: 'How far two places are from each other.', run: geodist },
  { ...READ, name: 'GEOHASH', arity: -2, summary: 'The geohashes of places.', run: geohash },
]

const METERS: Readonly<Record<string, number>> = { M: 1, KM: 1000, FT: 0.3048, MI: 1609.34 }

function geoadd(call: Call, args: readonly string[]): void {
  let from = 2
  while (['NX', 'XX', 'CH'].includes(args[from]?.toUpperCase() ?? '')) from++
  const words = args.slice(2, from)
  const said = words.map((word) => word.toUpperCase())
  if ((args.length - from) % 3 !== 0 || (said.includes('NX') && said.includes('XX'))) throw syntaxError()
  const scored: string[] = []
  for (let at = from; at < args.length; at += 3) {
    const [longitude, latitude] = [doubleOf(args[at] as string), doubleOf(args[at + 1] as string)]
    if (!isOnMap({ longitude, latitude }))
      throw new ReplyError(`ERR invalid longitude,latitude pair ${sixPlaces(longitude)},${sixPlaces(latitude)}`)
    scored.push(String(scoreOf({ longitude, latitude })), args[at + 2] as string)
  }
  zadd(call, ['ZADD', args[1] as string, ...words, ...scored])
}

/** As C prints it. */
function sixPlaces(degrees: number): string {
  return `${Object.is(degrees, -0) ? '-' : ''}${degrees.toFixed(6)}`
}

function placeIn(zset: KeyView, name: string | undefined): Place | undefined {
  const score = zset.score(name as string)
  return score === undefined ? undefined : placeOf(score)
}

function geopos(call: Call, [, key, ...names]: readonly string[]): void {
  const { reply } = call
  const zset = zsetOf(call, key)
  reply.array(names.length)
  for (const name of names) {
    const place = placeIn(zset, name)
    if (place === undefined) {
      reply.nullArray()
      continue
    }
    reply.array(2)
    for (const degrees of [place.longitude, place.latitude]) writeDegrees(call, degrees)
  }
}

/** All digits, to 17 decimal places. */
function writeDegrees({ reply }: Call, degrees: number): void {
  const shown = shownExact(degrees)
  if (reply.protocol === 3) reply.raw(`,${shown}\r\n`)
  else reply.bulk(shown)
}

function geodist(call: Call, args: readonly string[]): void {
  const [, key, one, other, unit = 'm'] = args
  if (args.length > 5) throw syntaxError()
  const meters = METERS[unit.toUpperCase()]
  if (meters === undefined) throw new ReplyError('ERR unsupported unit provided. please use M, KM, FT, MI')
  const zset = zsetOf(call, key)
  const [from, to] = [placeIn(zset, one), placeIn(zset, other)]
  if (from === undefined || to === undefined) call.reply.null()
  else call.reply.bulk((distanceOf(from, to) / meters).toFixed(4))
}

function geohash(call: Call, [, key, ...names]: readonly string[]): void {
  const zset = zsetOf(call, key)
  call.reply.array(names.length)
  for (const name of names) {
    const place = placeIn(zset, name)
    call.reply.bulkOrNull(place === undefined ? undefined : geohashOf(place))
  }
}
