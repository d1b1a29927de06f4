/** The packets of a handshake one by one: what is read as it was written, and what is not authentic. */
import { describe, expect, test } from 'vitest'
import { type ClusterKey, clusterKeys } from '../../../adapters/mesh/handshake/cluster-keys.ts'
import {
  type Agreed,
  OwnGreeting,
  answerGreeting,
  ephemeralIn,
  greetingCookieIn,
} from '../../../adapters/mesh/handshake/handshake.ts'
import {
  announcedIn,
  announcementPacket,
  cookieIn,
  cookiePacket,
  knockIn,
  knockPacket,
} from '../../../adapters/mesh/handshake/knock.ts'
import { authenticate, isAuthentic, readHead } from '../../../adapters/mesh/handshake/packets.ts'
import { MESH_VERSIONS, commonVersion } from '../../../adapters/mesh/handshake/versions.ts'
import { KEYS, KEY_TEXT, OTHER_KEY_TEXT } from './contact-fixture.ts'

const KEY = KEYS.primary
const KNOCK = { index: 0xfedcba98, nonce: new Uint8Array(16).fill(1) }
const COOKIE = new Uint8Array(16).fill(5)
const AGREED: Agreed = { version: 2, greeter: MESH_VERSIONS, greeted: MESH_VERSIONS }
const GREETER = { member: 'a'.repeat(16), zone: 'zone a', roles: ['a', 'reader'] }
const GREETED = { profile: { member: 'b'.repeat(16), zone: '', roles: [] }, index: 7 }

function greeting(agreed = AGREED, key: ClusterKey = KEY): OwnGreeting {
  return new OwnGreeting({ key, agreed, knock: KNOCK, profile: GREETER, privateKey: new Uint8Array(32).fill(2) })
}

function answerTo(packet: Uint8Array, agreed = AGREED, key: ClusterKey = KEY): ReturnType<typeof answerGreeting> {
  const parts = { key, agreed, own: GREETED, knock: KNOCK, privateKey: new Uint8Array(32).fill(3) }
  return answerGreeting(packet, parts)
}

describe('what has only a MAC', () => {
  const announced = { member: GREETER.member, nonce: KNOCK.nonce }
  const packets: [string, Uint8Array, Uint8Array | undefined][] = [
    ['a knock', knockPacket(KEY, MESH_VERSIONS, KNOCK), undefined],
    ['a cookie', cookiePacket(KEY, MESH_VERSIONS, { knock: KNOCK, cookie: COOKIE }), KNOCK.nonce],
    ['an announcement', announcementPacket(KEY, MESH_VERSIONS, announced), undefined],
  ]

  test.each(packets)('%s is authentic as it is, and not with any bit changed', (_, packet, nonce) => {
    expect(readHead(packet)?.versions).toEqual(MESH_VERSIONS)
    expect(isAuthentic(KEY, packet, nonce)).toBe(true)
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const forged = packet.slice()
      forged[bit >> 3]! ^= 1 << (bit & 7)
      expect(isAuthentic(KEY, forged, nonce)).toBe(false)
    }
  })

  test.each(packets)('%s under another key, or for another cluster, is not authentic', (_, packet, nonce) => {
    expect(isAuthentic(clusterKeys(OTHER_KEY_TEXT, 'warp').primary, packet, nonce)).toBe(false)
    expect(isAuthentic(clusterKeys(KEY_TEXT, 'other').primary, packet, nonce)).toBe(false)
  })

  test('they are read as they were written', () => {
    const [knock, cookie, announcement] = packets.map(([, packet]) => packet) as [Uint8Array, Uint8Array, Uint8Array]
    expect(knockIn(knock)).toEqual(KNOCK)
    expect(cookieIn(cookie)).toEqual(COOKIE)
    expect(announcedIn(announcement)).toBe(GREETER.member)
    expect(cookie.length).toBeLessThanOrEqual(knock.length)
  })

  test('a cookie for another knock is not authentic', () => {
    expect(isAuthentic(KEY, packets[1]?.[1] ?? COOKIE, new Uint8Array(16).fill(9))).toBe(false)
  })
})

describe('greeting and welcome', () => {
  test('tell each of the other, and give both the same keys', () => {
    const own = greeting()
    const packet = own.packet(COOKIE)
    expect(greetingCookieIn(packet)).toEqual(COOKIE)
    const answer = answerTo(packet)
    expect(answer?.other).toEqual({ profile: GREETER, index: KNOCK.index })
    const outcome = own.takeWelcome(answer?.welcome ?? packet)
    expect(outcome?.other).toEqual(GREETED)
    expect(outcome?.secrets.sending).toEqual(answer?.secrets.receiving)
    expect(outcome?.secrets.receiving).toEqual(answer?.secrets.sending)
    expect(outcome?.secrets.stream).toEqual(answer?.secrets.stream)
    expect(answer?.welcome).toHaveLength(packet.length)
  })

  test('nothing of what members say of themselves can be read on the way', () => {
    const packet = greeting().packet(COOKIE)
    for (const bytes of [packet, answerTo(packet)?.welcome ?? packet]) {
      for (const text of ['zone a', 'reader']) expect(Buffer.from(bytes).includes(text)).toBe(false)
      expect(Buffer.from(bytes).toString('hex')).not.toMatch(/a{16}|b{16}/)
    }
  })

  test('a second cookie makes no second text under one key', () => {
    const own = greeting()
    const [one, two] = [own.packet(COOKIE), own.packet(new Uint8Array(16).fill(6))]
    expect(ephemeralIn(one)).toEqual(ephemeralIn(two))
    expect(one.subarray(46, 496)).toEqual(two.subarray(46, 496))
    expect(isAuthentic(KEY, one) && isAuthentic(KEY, two)).toBe(true)
  })

  // The MAC is made anew after each change, as by somebody with the key: what is left is the handshake itself.
  test('with any byte changed that is not the cookie, and a MAC that fits, no session comes of it', () => {
    const packet = greeting().packet(COOKIE)
    for (let at = 0; at < packet.length - 16; at++) {
      if (at >= 30 && at < 46) continue
      const forged = packet.slice()
      forged[at]! ^= 1 << (at & 7)
      expect(answerTo(authenticate(KEY, forged)), `byte ${at}`).toBeUndefined()
    }
    const own = greeting()
    const welcome = answerTo(packet)?.welcome ?? packet
    for (let at = 14; at < welcome.length - 16; at++) {
      const forged = welcome.slice()
      forged[at]! ^= 1 << (at & 7)
      expect(own.takeWelcome(authenticate(KEY, forged, KNOCK.nonce)), `byte ${at}`).toBeUndefined()
    }
    expect(own.takeWelcome(welcome)).toBeDefined()
  })

  test('under another key, or for another cluster, are not read', () => {
    const packet = greeting().packet(COOKIE)
    for (const key of [clusterKeys(OTHER_KEY_TEXT, 'warp').primary, clusterKeys(KEY_TEXT, 'other').primary]) {
      expect(answerTo(packet, AGREED, key)).toBeUndefined()
    }
  })

  test('who is told other versions than were said has no session, even from somebody with the key', () => {
    const heard = { version: 2, greeter: { oldest: 2, newest: 3 }, greeted: { oldest: 2, newest: 2 } }
    const said = { ...heard, greeted: { oldest: 2, newest: 3 } }
    expect(answerTo(greeting(heard).packet(COOKIE), heard)).toBeDefined()
    expect(answerTo(greeting(heard).packet(COOKIE), said)).toBeUndefined()
  })
})

test.each([
  [{ oldest: 2, newest: 2 }, { oldest: 2, newest: 2 }, 2],
  [{ oldest: 2, newest: 4 }, { oldest: 1, newest: 3 }, 3],
  [{ oldest: 2, newest: 2 }, { oldest: 2, newest: 9 }, 2],
  [{ oldest: 2, newest: 2 }, { oldest: 3, newest: 9 }, undefined],
  [{ oldest: 4, newest: 2 }, { oldest: 1, newest: 9 }, undefined],
])('of %o and %o the greatest version in common is %s', (one, other, version) => {
  expect([commonVersion(one, other), commonVersion(other, one)]).toEqual([version, version])
})
