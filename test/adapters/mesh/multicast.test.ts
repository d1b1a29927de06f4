import { expect, test } from 'vitest'
import { Multicast, MULTICAST_GROUP_IPV4, type MulticastOptions } from '../../../adapters/mesh/sockets/multicast.ts'
import type { TransportReport } from '../../../src/index.ts'
import { FakeMeshNetwork } from '../../support/fake-mesh-network.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

const env = virtualEnv()

interface Made {
  readonly multicast: Multicast
  readonly network: FakeMeshNetwork
  readonly announcedAtMs: number[]
  readonly reports: TransportReport[]
}

function make(options: Partial<MulticastOptions> = {}, hasMulticast = true): Made {
  const network = new FakeMeshNetwork({ clock: env, hasMulticast })
  const [announcedAtMs, reports]: [number[], TransportReport[]] = [[], []]
  const startMs = env.monotonic()
  const multicast = new Multicast({
    network: network.machine('10.0.0.1'),
    clock: env,
    settings: { group: MULTICAST_GROUP_IPV4, on: '10.0.0.1' },
    announce: () => announcedAtMs.push(env.monotonic() - startMs),
    announced: () => undefined,
    report: (report) => reports.push(report),
    ...options,
  })
  return { multicast, network, announcedAtMs, reports }
}

test('it announces three times within a second, then about every five', async () => {
  const { multicast, announcedAtMs } = make()
  await multicast.start()
  await env.advance(60_000)
  expect(announcedAtMs.filter((ms) => ms < 1000)).toHaveLength(3)
  const pauses = announcedAtMs.slice(3).map((ms, i) => ms - announcedAtMs[i + 2]!)
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(4000)
  expect(Math.max(...pauses)).toBeLessThanOrEqual(6000)
  expect(new Set(pauses).size).toBeGreaterThan(5)
  await multicast.close()
})

test('what comes to the group is handed on with its source', async () => {
  const heard: string[] = []
  const { multicast, network } = make({
    announced: ({ host, port }, bytes) => heard.push(`${host}:${port} ${bytes.length}`),
  })
  await multicast.start()
  const port = await network.machine('10.0.0.2').bind({ host: '10.0.0.2', port: 7946 }, () => undefined)
  port.sendMulticast(MULTICAST_GROUP_IPV4, new Uint8Array(256))
  await env.advance(100)
  expect(heard).toEqual(['10.0.0.2:7946 256'])
  await multicast.close()
  port.sendMulticast(MULTICAST_GROUP_IPV4, new Uint8Array(256))
  await env.advance(100)
  expect(heard).toHaveLength(1)
})

test('a machine without multicast is reported once, naming the remedy, and tried again', async () => {
  const { multicast, network, announcedAtMs, reports } = make({}, false)
  await multicast.start()
  await env.advance(300_000)
  expect(reports).toEqual([
    {
      kind: 'transport:degraded',
      error: expect.objectContaining({
        code: 'WARP_E_TRANSPORT',
        message: expect.stringMatching(/static peers/) as string,
      }) as Error,
    },
  ])
  expect(announcedAtMs).toEqual([])
  network.hasMulticast = true
  await env.advance(40_000)
  expect(announcedAtMs.length).toBeGreaterThan(0)
  await multicast.close()
})

test('sending that is refused is reported once until it works again', async () => {
  let isRefused = true
  const { multicast, reports } = make({
    announce: () => {
      if (isRefused) throw new Error('ENETUNREACH')
    },
  })
  await multicast.start()
  await env.advance(200_000)
  expect(reports).toHaveLength(1)
  isRefused = false
  await env.advance(100_000)
  isRefused = true
  await env.advance(100_000)
  expect(reports).toHaveLength(2)
  await multicast.close()
})

test('closed while it joins, it leaves the group and announces nothing', async () => {
  const { multicast, announcedAtMs } = make()
  const started = multicast.start()
  await multicast.close()
  await started
  await env.advance(60_000)
  expect(announcedAtMs).toEqual([])
  expect(env.timerCount).toBe(0)
})
