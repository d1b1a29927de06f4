import { describe, expect, test } from 'vitest'
import { ClockSkew, RoundTrip } from '../../../adapters/mesh/membership/round-trip.ts'
import { Cluster } from '../../support/membership-cluster.ts'

describe('the round trip', () => {
  test('is smoothed as in RFC 6298', () => {
    const roundTrip = new RoundTrip()
    expect(roundTrip.smoothedMs).toBeUndefined()
    roundTrip.sample(100)
    expect(roundTrip.smoothedMs).toBe(100)
    expect(roundTrip.timeoutMs(1, 10_000)).toBe(300)
    roundTrip.sample(180)
    expect(roundTrip.smoothedMs).toBe(110)
    // RTTVAR = 3/4 · 50 + 1/4 · |100 - 180|
    expect(roundTrip.timeoutMs(1, 10_000)).toBe(110 + 4 * 57.5)
  })

  test('bounds the timeout, and waits for longest before it is known', () => {
    const roundTrip = new RoundTrip()
    expect(roundTrip.timeoutMs(50, 500)).toBe(500)
    roundTrip.sample(0.1)
    expect(roundTrip.timeoutMs(50, 500)).toBe(50)
    for (let i = 0; i < 50; i++) roundTrip.sample(4000)
    expect(roundTrip.timeoutMs(50, 500)).toBe(500)
  })
})

describe('the skew', () => {
  const sample = (clock: ClockSkew, skewMs: number, roundTripMs = 2): number | undefined =>
    clock.sample({ theirMs: 1_000_000 + skewMs - roundTripMs / 2, ourMs: 1_000_000, roundTripMs })

  test('is their clock less ours in the middle of the round trip', () => {
    const clock = new ClockSkew(250)
    clock.sample({ theirMs: 1500, ourMs: 1010, roundTripMs: 20 })
    expect(clock.skewMs).toBe(500)
  })

  test('is reported once, and again only after the clocks agreed', () => {
    const clock = new ClockSkew(250)
    const reports = [0, 300, 300, 300, 400, 260, 240, 240, 260, 300, 10, 10, -400, -400, -400].map((ms) =>
      sample(clock, ms),
    )
    expect(reports.flatMap((ms, i) => (ms === undefined ? [] : [[i, ms]]))).toEqual([
      [2, 300],
      [13, -400],
    ])
  })

  test('one answer that was held up raises no alarm', () => {
    const clock = new ClockSkew(250)
    expect([
      sample(clock, 0),
      sample(clock, 900, 2000),
      sample(clock, 0),
      sample(clock, 900),
      sample(clock, 0),
    ]).toEqual(Array(5).fill(undefined))
  })

  test('within what the round trip leaves open it is no alarm', () => {
    expect(sample(new ClockSkew(250), 300, 200)).toBeUndefined()
    expect(sample(new ClockSkew(250), 400, 200)).toBe(400)
  })
})

test('members whose clock is off by a second are reported once by each, and seen to be', async () => {
  const cluster = new Cluster({ delayMs: 10 })
  await cluster.start(4, [0, 0, 1000, 0])
  await cluster.env.advance(60_000)
  expect(cluster.members.map(({ skews }) => skews.length)).toEqual([1, 1, 3, 1])
  const skewMs = cluster.member(0).viewOf(cluster.member(2))?.clockSkewMs ?? 0
  expect(Math.abs(skewMs - 1000)).toBeLessThan(10)
  expect(cluster.member(0).viewOf(cluster.member(1))?.roundTripMs).toBeGreaterThan(10)
  cluster.close()
})

test('a clock that jumps is reported again after it was put right', async () => {
  const cluster = new Cluster()
  await cluster.start(2)
  await cluster.env.advance(10_000)
  for (const jumpMs of [5000, -5000, 5000]) {
    cluster.member(1).env.jumpWall(jumpMs)
    await cluster.env.advance(10_000)
  }
  expect(cluster.member(0).skews.map((ms) => Math.round(ms / 100))).toEqual([50, 50])
  cluster.close()
})
