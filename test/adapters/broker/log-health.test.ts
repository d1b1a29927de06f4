import { expect, test } from 'vitest'
import { LogHealth } from '../../../adapters/broker/log-health.ts'
import { WarpError } from '../../../src/index.ts'
import { FakeClock } from './fake-clock.ts'

const error = (code: 'WARP_E_TRANSPORT' | 'WARP_E_AUTH' = 'WARP_E_TRANSPORT') => new WarpError(code, 'trouble')

function played() {
  const clock = new FakeClock()
  const told: (boolean | string)[] = []
  let [answers, probes] = [false, 0]
  const health = new LogHealth({
    clock,
    receiver: {
      connected: (isConnected) => void told.push(isConnected),
      report: (report) => void told.push(report.error.code),
    },
    probe: () => {
      probes++
      return Promise.resolve(answers)
    },
  })
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    for (let i = 0; i < 5; i++) await Promise.resolve()
  }
  return { health, told, pass, probes: () => probes, answer: () => void (answers = true) }
}

test('a connection that goes and comes is told, each time', () => {
  const { health, told } = played()
  for (let i = 0; i < 2; i++) {
    health.down(error())
    health.down(error())
    health.up()
    health.up()
  }
  expect(told).toEqual(['WARP_E_TRANSPORT', false, true, 'WARP_E_TRANSPORT', false, true])
})

test('a log that does not answer is away though it is connected, and is tried about once a second until it does', async () => {
  const { health, told, pass, probes, answer } = played()
  health.silent(error())
  expect(told).toEqual(['WARP_E_TRANSPORT', false])
  for (let i = 0; i < 40; i++) await pass(250)
  expect(probes()).toBeGreaterThanOrEqual(7)
  expect(probes()).toBeLessThanOrEqual(10)
  answer()
  for (let i = 0; i < 6; i++) await pass(250)
  expect(told).toEqual(['WARP_E_TRANSPORT', false, true])
  const { length } = told
  for (let i = 0; i < 20; i++) await pass(250)
  expect(told).toHaveLength(length)
})

test('an append that is answered is enough', () => {
  const { health, told } = played()
  health.silent(error())
  health.answered()
  expect(told).toEqual(['WARP_E_TRANSPORT', false, true])
})

test('a connection that is back says nothing of whether appends are answered', async () => {
  const { health, told, pass, answer } = played()
  health.silent(error())
  health.down(error())
  health.up()
  expect(told).toEqual(['WARP_E_TRANSPORT', false])
  answer()
  for (let i = 0; i < 8; i++) await pass(250)
  expect(told).toEqual(['WARP_E_TRANSPORT', false, true])
})

test('each kind of trouble is told once, until it is well again', () => {
  const { health, told } = played()
  health.degraded(error())
  health.degraded(error())
  health.degraded(error('WARP_E_AUTH'))
  health.well()
  health.degraded(error())
  expect(told).toEqual(['WARP_E_TRANSPORT', 'WARP_E_AUTH', 'WARP_E_TRANSPORT'])
})

test('after closing nothing is told', async () => {
  const { health, told, pass, answer } = played()
  health.silent(error())
  health.close()
  answer()
  for (let i = 0; i < 8; i++) await pass(250)
  health.degraded(error('WARP_E_AUTH'))
  expect(told).toEqual(['WARP_E_TRANSPORT', false])
})
