/** The acceptance cases of the data layer over each broker, between processes that a proxy cuts off. */
import { casesBetweenProcesses } from '../../data-layer/cases-between-processes.ts'
import type { Between } from '../../data-layer/plugged.ts'
import { byExtent } from '../../support/extent.ts'
import { describeOn, type ServerName } from '../../support/servers.ts'

type Broker = ServerName & ('nats' | 'valkey' | 'kafka')

/** CI runs this file twice: all of them have had their turn then. */
const BROKERS = byExtent<readonly Broker[]>({
  some: ['nats'],
  all: ['valkey', 'kafka'],
  soak: ['nats', 'valkey', 'kafka'],
})
let count = 0

for (const over of BROKERS)
  describeOn(over, `the data layer over ${over}`, (url) => {
    const place = (): Between => ({ over, url, name: `cases-${process.pid}-${++count}` })
    casesBetweenProcesses({
      of: (length) => {
        const shared = place()
        return Promise.resolve(Array.from({ length }, () => shared))
      },
      another: () => Promise.resolve(place()),
    })
  })
