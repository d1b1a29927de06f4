/** Replicas in processes of their own that hear each other over NATS, and a server that goes away under them. */
import { connect } from '@nats-io/transport-node'
import { onTestFinished, test } from 'vitest'
import { ChildProgram } from '../../support/child-program.ts'
import { NatsServers } from '../../support/nats-servers.ts'
import { describeOn } from '../../support/servers.ts'
import type { NatsReplicaProgram } from './replica-process.ts'

async function started(servers: string, name: string): Promise<ChildProgram<NatsReplicaProgram>> {
  const program = new ChildProgram<NatsReplicaProgram>('test/adapters/nats/replica')
  onTestFinished(() => program.end('SIGKILL'))
  await program.ask('open', { servers, subject: 'processes', name })
  return program
}

describeOn('nats', 'replicas over NATS', () => {
  test('converge, also over the end of the server, and notice who comes and goes', async () => {
    const servers = await NatsServers.single()
    onTestFinished(() => servers.close())
    const { node } = servers
    const [a, b] = [await started(node.url, 'a'), await started(node.url, 'b')]
    const both = [a, b]
    const all = (verb: 'sees' | 'reaches', request: never): Promise<unknown> =>
      Promise.all(both.map((program) => program.ask(verb, request)))
    await all('sees', { count: 1 } as never)
    await Promise.all(both.map((program) => program.ask('increment', { count: 300 })))
    await all('reaches', { sum: 600 } as never)

    await node.end('SIGKILL')
    await Promise.all(both.map((program) => program.ask('hears', { kind: 'transport:degraded' })))
    // Each goes on by itself.
    await Promise.all(both.map((program) => program.ask('increment', { count: 300 })))
    await node.startAgain()
    await all('reaches', { sum: 1200 } as never)
    await all('sees', { count: 1 } as never)

    const c = await started(node.url, 'c')
    await c.ask('reaches', { sum: 1200 })
    await a.ask('sees', { count: 2 })
    await c.ask('close')
    await a.ask('sees', { count: 1 })
    await b.end('SIGKILL')
    await a.ask('sees', { count: 0 })
    await a.ask('close')
  })

  test('one that was too slow is cut off by the server, comes back, and misses nothing', async () => {
    const servers = await NatsServers.single({ lines: ['max_pending: 1MB'] })
    onTestFinished(() => servers.close())
    const [a, b] = [await started(servers.node.url, 'a'), await started(servers.node.url, 'b')]
    await b.ask('sees', { count: 1 })
    await a.ask('increment', { count: 10 })
    await b.ask('reaches', { sum: 10 })
    await b.stop()
    await a.ask('increment', { count: 10 })
    // More than the sockets on the way hold, and the server then.
    const nats = await connect({ servers: servers.node.url })
    onTestFinished(() => nats.close())
    for (let i = 0; i < 40; i++) {
      nats.publish('processes.all', new Uint8Array(1_000_000).fill(200))
      await nats.flush()
    }
    await a.ask('increment', { count: 10 })
    b.go()
    await b.ask('hears', { kind: 'transport:degraded' })
    await b.ask('reaches', { sum: 30 })
    await b.ask('hears', { kind: 'peer:refused' })
  })
})
