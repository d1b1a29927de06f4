import type { StreamConfig, StreamInfo } from '@nats-io/jetstream'
import { describe, expect, test } from 'vitest'
import { refuseUnaccepted, streamShortcomings, versionShortcoming } from '../../../adapters/nats/ordered/fitness.ts'

describe('the version of the server', () => {
  test.each([
    ['2.9.10', 1],
    ['2.9.25', 3],
    ['2.10.20', 1],
    ['2.10.22', 1],
    ['2.10.21', 3],
    ['2.10.19', 3],
    ['1.4.1', 1],
    ['nonsense', 1],
    ['', 1],
  ])('%s with %i copies is refused', (version, copies) => {
    expect(versionShortcoming(version, copies)?.remedy).toContain('2.10.23')
  })

  test.each([
    ['2.10.19', 1],
    ['2.10.23', 3],
    ['2.10.23', 1],
    ['2.10.26', 3],
    ['2.11.0', 3],
    ['2.15.1', 3],
    ['v2.12.8-RC.1', 3],
    ['3.0.0', 5],
  ])('%s with %i copies is taken', (version, copies) => {
    expect(versionShortcoming(version, copies)).toBeUndefined()
  })

  test('one that forgets streams may be accepted, and 2.9 may not', () => {
    expect(versionShortcoming('2.10.21', 1)?.name).toBe('version')
    expect(versionShortcoming('2.9.10', 1)?.name).toBeUndefined()
  })
})

describe('the settings of a stream', () => {
  const wanted = { subject: 'orders.0.00', subjects: /^orders\.0\.(\d\d)$/ }
  const fit: Partial<StreamConfig> = {
    name: 'orders-0',
    subjects: ['orders.0.17'],
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    num_replicas: 3,
    max_age: 0,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: -1,
    allow_rollup_hdrs: false,
    sealed: false,
  }
  const found = (config: Partial<StreamConfig>, replicas?: number) =>
    streamShortcomings({ config: { ...fit, ...config } } as StreamInfo, wanted, replicas)

  test('as Warp makes it, it is fit', () => {
    expect(found({})).toEqual([])
    expect(found({}, 3)).toEqual([])
    // The stream is full rather than short of its beginning.
    expect(found({ max_bytes: 1e9, max_msgs: 1e6 })).toEqual([])
  })

  test.each<[string, Partial<StreamConfig>]>([
    ['another subject', { subjects: ['orders.1.17'] }],
    ['a subject of somebody else besides', { subjects: ['orders.0.17', 'others'] }],
    ['no subject', { subjects: [] }],
    ['records that go when they are read', { retention: 'workqueue' }],
    ['records that go when nobody waits', { retention: 'interest' }],
    ['no acknowledgements', { no_ack: true }],
    ['a seal', { sealed: true }],
    ['a mirror', { mirror: { name: 'other' } }],
    ['sources', { sources: [{ name: 'other' }] }],
    ['renamed subjects', { subject_transform: { dest: 'x' } }],
    ['acknowledgements before it writes', { persist_mode: 'async' }],
    ['a first number of its own', { first_seq: 100 }],
  ])('%s cannot be accepted', (_, config) => {
    expect(found(config).map(({ name }) => name)).toEqual([undefined])
  })

  test.each<[string, Partial<StreamConfig>, number | undefined]>([
    ['memory', { storage: 'memory' }, undefined],
    ['eviction', { max_age: 1 }, undefined],
    ['eviction', { discard: 'old', max_bytes: 1 }, undefined],
    ['eviction', { discard: 'old', max_msgs: 1 }, undefined],
    ['eviction', { max_msgs_per_subject: 10 }, undefined],
    ['eviction', { allow_msg_ttl: true }, undefined],
    ['rollup', { allow_rollup_hdrs: true }, undefined],
    ['replicas', { num_replicas: 1 }, 3],
  ])('%s is refused, unless it is accepted by that name: %o', (name, config, replicas) => {
    const shortcomings = found(config, replicas)
    expect(() => refuseUnaccepted("stream 'orders-0'", shortcomings, [])).toThrow(`accept: ['${name}']`)
    expect(() => refuseUnaccepted("stream 'orders-0'", shortcomings, [])).toThrow(
      expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT' }),
    )
    expect(refuseUnaccepted("stream 'orders-0'", shortcomings, [name as 'memory'])).toEqual([name])
  })

  test('what was accepted and is not there is not shown', () => {
    expect(refuseUnaccepted('it', found({}), ['memory', 'eviction'])).toEqual([])
  })
})
