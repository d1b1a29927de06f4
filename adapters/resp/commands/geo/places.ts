/**
 * Places on the earth as scores of a sorted set: 26 bits each of longitude and latitude, interleaved, the
 * longitude first. A place is the middle of its cell. Bit by bit and digit by digit as Redis has them.
 */
export interface Place {
  readonly longitude: number
  readonly latitude: number
}

const STEPS = 26
const CELLS = 2 ** STEPS
const LONGITUDE_MAX = 180
const LATITUDE_MAX = 85.05112878
const EARTH_RADIUS_M = 6372797.560856
const RADIANS = Math.PI / 180
const LETTERS = '0123456789bcdefghjkmnpqrstuvwxyz'
const HASH_LETTERS = 11

export function isOnMap({ longitude, latitude }: Place): boolean {
  return Math.abs(longitude) <= LONGITUDE_MAX && Math.abs(latitude) <= LATITUDE_MAX
}

export function scoreOf(place: Place): number {
  return Number(interleaved(place, LATITUDE_MAX))
}

export function placeOf(score: number): Place {
  const bits = BigInt(Math.floor(score))
  let [longitude, latitude] = [0, 0]
  for (let step = STEPS; step >= 0; step--) {
    longitude = longitude * 2 + Number((bits >> BigInt(step * 2 + 1)) & 1n)
    latitude = latitude * 2 + Number((bits >> BigInt(step * 2)) & 1n)
  }
  return { longitude: middleOf(longitude, LONGITUDE_MAX), latitude: middleOf(latitude, LATITUDE_MAX) }
}

/** Meters, along a great circle. */
export function distanceOf(one: Place, other: Place): number {
  const v = Math.sin((other.longitude * RADIANS - one.longitude * RADIANS) / 2)
  const [from, to] = [one.latitude * RADIANS, other.latitude * RADIANS]
  if (v === 0) return EARTH_RADIUS_M * Math.abs(to - from)
  const u = Math.sin((to - from) / 2)
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(u * u + Math.cos(from) * Math.cos(to) * v * v))
}

/** The geohash that others know, of latitudes up to the poles. */
export function geohashOf(place: Place): string {
  const bits = interleaved(place, 90)
  let hash = ''
  for (let i = 1; i < HASH_LETTERS; i++) hash += LETTERS[Number((bits >> BigInt(STEPS * 2 - i * 5)) & 31n)] ?? ''
  // There are no bits left for the last letter.
  return `${hash}0`
}

function interleaved({ longitude, latitude }: Place, latitudeMax: number): bigint {
  const [x, y] = [cellOf(longitude, LONGITUDE_MAX), cellOf(latitude, latitudeMax)]
  let bits = 0n
  // The greatest longitude lies behind the last cell, and takes a bit more.
  for (let step = STEPS; step >= 0; step--)
    bits = (bits << 2n) | (((x >> BigInt(step)) & 1n) << 1n) | ((y >> BigInt(step)) & 1n)
  return bits
}

function cellOf(degrees: number, max: number): bigint {
  return BigInt(Math.floor(((degrees + max) / (2 * max)) * CELLS))
}

function middleOf(cell: number, max: number): number {
  const least = -max + (cell / CELLS) * (2 * max)
  const most = -max + ((cell + 1) / CELLS) * (2 * max)
  return Math.max(-max, Math.min(max, (least + most) / 2))
}
