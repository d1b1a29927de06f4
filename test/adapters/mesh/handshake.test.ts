import { expect, test } from 'vitest'
import { clusterKeys } from '../../../adapters/mesh/handshake/cluster-keys.ts'
import {
  type Greeting,
  type Introduction,
  NO_COOKIE,
  announcementPacket,
  cookiePacket,
  openAnnouncement,
  openCookie,
  openGreeting,
  openWelcome,
  sealGreeting,
  sealWelcome,
} from '../../../adapters/mesh/handshake/handshake.ts'
import { HEAD_BYTES } from '../../../adapters/mesh/handshake/packets.ts'
import { KEYS, KEY_TEXT, OTHER_KEY_TEXT } from './contact-fixture.ts'

const KEY = KEYS.primary

function introduction(digit: string, index: number): Introduction {
  const profile = { member: digit.repeat(16), zone: `zone ${digit}`, roles: [digit] }
  return { profile, index, nonce: new Uint8Array(16).fill(index) }
}

const [GREETER, GREETED] = [introduction('a', 1), introduction('b', 2)]
const GREETING = openGreeting(KEY, sealGreeting(KEY, GREETER, NO_COOKIE)) as Greeting

const packets: [string, Uint8Array, (bytes: Uint8Array, key?: typeof KEY) => unknown][] = [
  ['a greeting', sealGreeting(KEY, GREETER, NO_COOKIE), (bytes, key = KEY) => openGreeting(key, bytes)],
  ['a cookie', cookiePacket(KEY, GREETING, NO_COOKIE), (bytes, key = KEY) => openCookie(key, bytes, GREETER)],
  ['a welcome', sealWelcome(KEY, GREETED, GREETER), (bytes, key = KEY) => openWelcome(key, bytes, GREETER)],
  [
    'an announcement',
    announcementPacket(KEY, GREETER.profile.member, GREETER.nonce),
    (bytes, key = KEY) => openAnnouncement(key, bytes),
  ],
]

test.each(packets)('%s is read as it was written', (_, packet, open) => {
  expect(open(packet)).toBeDefined()
  expect(GREETING.profile).toEqual(GREETER.profile)
})

// What an announcement is filled up with, to be as long as the others, says nothing.
test.each(packets)('%s with any bit changed is not authentic', (name, packet, open) => {
  const end = name === 'an announcement' ? 48 : packet.length
  for (let bit = HEAD_BYTES * 8; bit < end * 8; bit++) {
    const forged = new Uint8Array(packet)
    forged[bit >> 3]! ^= 1 << (bit & 7)
    expect(open(forged)).toBeUndefined()
  }
})

test.each(packets)('%s under another key, or for another cluster, is not authentic', (_, packet, open) => {
  expect(open(packet, clusterKeys(OTHER_KEY_TEXT, 'warp').primary)).toBeUndefined()
  expect(open(packet, clusterKeys(KEY_TEXT, 'other').primary)).toBeUndefined()
})
