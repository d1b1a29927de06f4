import { beforeEach, expect, test } from 'vitest'
import { type Member, Members, NOT_HEARD } from '../../../adapters/mesh/membership/members.ts'
import { Prober } from '../../../adapters/mesh/membership/prober.ts'
import { idOf } from '../../support/membership-cluster.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'

let env: VirtualEnv
let member: Member
let log: string[]
let prober: Prober

beforeEach(() => {
  env = virtualEnv()
  log = []
  const endpoint = { host: '10.0.0.2', port: 7946 }
  const profile = { member: idOf(1), zone: '', roles: [] }
  const made = new Members(250).add({ profile, endpoint, address: '10.0.0.2:7946' }, 0)
  if (made === undefined) throw new Error('an empty table has room')
  member = made
  member.state = 'alive'
  const note = (what: string): void => void log.push(`${env.monotonic()} ${what}`)
  prober = new Prober(env, 1000, {
    ping: () => note('ping'),
    askOthers: () => note('others'),
    onSuspect: () => {
      note('suspect')
      member.state = 'suspect'
    },
    onTrusted: () => note('trusted'),
    onGivenUp: (_member, state) => note(state),
    suspicionMs: () => 2000,
  })
})

test('a silent member is asked, asked again through others, suspected after an interval, and given up after the suspicion', async () => {
  prober.probe(member)
  await env.advance(60_000)
  expect(log.slice(0, 5)).toEqual(['0 ping', '500 ping', '500 others', '750 ping', '750 others'])
  expect(log.filter((line) => !/ping|others/.test(line))).toEqual(['1000 suspect', '3000 down'])
  expect(log.filter((line) => line.endsWith('others')).length).toBe(10)
})

test('the second ping waits for as long as answers take', async () => {
  member.roundTrip.sample(40)
  prober.probe(member)
  await env.advance(200)
  expect(log).toEqual(['0 ping', '120 ping', '120 others'])
})

test('an answer ends the probe, and clears a suspect', async () => {
  prober.probe(member)
  prober.trust(member)
  await env.advance(10_000)
  expect(log).toEqual(['0 ping'])
  prober.probe(member)
  await env.advance(1500)
  prober.trust(member)
  await env.advance(10_000)
  expect(log.at(-1)).toBe('11500 trusted')
})

test('anything heard ends it at the next step, but not what was heard before', async () => {
  member.heardTick = 5
  prober.probe(member)
  expect(member.heardTick).toBe(NOT_HEARD)
  await env.advance(1500)
  member.heardTick = 6
  await env.advance(250)
  expect(log.at(-1)).toBe('1750 trusted')
})

test.each(['down', 'left'] as const)(
  'by the word of others that it is %s, one interval of silence is enough',
  async (state) => {
    prober.probe(member)
    prober.probe(member, state)
    await env.advance(60_000)
    expect(log.at(-1)).toBe(`1000 ${state}`)
    expect(log.join()).not.toContain('suspect')
  },
)

test('it is probed once at a time', () => {
  for (let i = 0; i < 10; i++) prober.probe(member)
  expect(log).toEqual(['0 ping'])
})

test.each([400, 1500])('a process that is stopped %i ms into a probe asks on where it was', async (ms) => {
  prober.probe(member)
  await env.advance(ms)
  const before = log.length
  const clock = env.monotonic
  env.monotonic = () => clock() + 60_000
  await env.advance(250)
  const after = log.slice(before).map((line) => line.replace(/^\d+ /, ''))
  expect(after).toEqual(['ping', 'others'])
  await env.advance(3000)
  expect(log.at(-1)).toMatch(/down$/)
})

test('closed, it asks nobody any more', async () => {
  prober.probe(member)
  prober.close()
  await env.advance(10_000)
  expect(log).toEqual(['0 ping'])
  expect(env.timerCount).toBe(0)
})
