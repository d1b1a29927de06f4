/** Who may do what: servers that let only some in, and those only to some subjects. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { natsOrderedLog, natsTransport, type NatsConnectOptions } from '../../../adapters/nats/index.ts'
import type { TransportReport } from '../../../src/index.ts'
import { NatsServers } from '../../support/nats-servers.ts'
import { describeOn } from '../../support/servers.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { LogClient, until } from '../broker/log-client.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

const LINES = [
  `authorization { users: [
     { user: replica, password: "a secret", permissions: {
         publish: ["orders.>", "$JS.API.>", "warp.>"], subscribe: ["_INBOX.>", "warp.>"] } }
     { user: reader, password: other, permissions: { publish: ["$JS.API.>"], subscribe: ["_INBOX.>"] } }
     { user: deaf, password: other, permissions: { publish: [">"], subscribe: ["nothing"] } }
     { user: own, password: other, permissions: { publish: ["orders.>", "$JS.API.>"], subscribe: ["_INBOX_own.>"] } }
  ] }`,
]

async function server(): Promise<string> {
  const servers = await NatsServers.single({ lines: LINES })
  open.push(servers)
  return servers.node.url
}

async function client(servers: string, connect: NatsConnectOptions, inboxPrefix?: string): Promise<LogClient> {
  const prefix = inboxPrefix === undefined ? {} : { inboxPrefix }
  const options = { servers, connect, stream: 'orders', timeoutMs: 500, ...prefix }
  const made = await LogClient.open(natsOrderedLog(options))
  open.push({ close: () => made.link.close() })
  return made
}

describeOn('nats', 'permissions', (_url) => {
  test('those of the documents are enough, for the log and for the transport', async () => {
    const servers = await server()
    const connect = { user: 'replica', pass: 'a secret' }
    const a = await client(servers, connect)
    const reader = a.follow()
    await a.append('one')
    await until(() => reader.ids.length === 1)
    await a.link.saveSnapshot(0, { bookmark: reader.last!, pieces: nothing() })
    await a.link.trim(0, 1)
    expect((await a.link.loadSnapshot(0))?.bookmark).toEqual({ offset: 1, id: 'one' })
    let ups = 0
    const links = [1, 2].map(() =>
      natsTransport({ servers, connect }).open({ receive: () => undefined, peerUp: () => void ups++ }),
    )
    for (const link of links) open.push(await link)
    await until(() => ups === 2)
    expect(a.reports).toEqual([])
  })

  test('who is not let in is told so, without the password', async () => {
    const servers = await server()
    for (const connect of [{ user: 'replica', pass: 'wrong' }, {}]) {
      await expect(client(servers, connect)).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_AUTH' }))
      const transport = natsTransport({ servers, connect })
      await expect(transport.open({ receive: () => undefined })).rejects.toThrow(
        expect.objectContaining({ code: 'WARP_E_AUTH', message: expect.not.stringContaining('wrong') }),
      )
    }
  })

  test('who may not append reads, and is told why appends come to nothing', async () => {
    const servers = await server()
    const writer = await client(servers, { user: 'replica', pass: 'a secret' })
    await writer.append('one')
    const a = await client(servers, { user: 'reader', pass: 'other' })
    const reader = a.follow()
    await until(() => reader.ids.length === 1)
    expect((await a.link.append(0, 'two', new Uint8Array())).kind).not.toBe('appended')
    expect(a.reports).toMatchObject([{ kind: 'order:degraded', error: { code: 'WARP_E_AUTH' } }, {}])
  })

  test('who may not hear anything is told so', async () => {
    const servers = await server()
    await expect(client(servers, { user: 'deaf', pass: 'other' })).rejects.toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^WARP_E_(?:AUTH|TRANSPORT)$/) }),
    )
    const reports: TransportReport[] = []
    const transport = natsTransport({ servers, connect: { user: 'deaf', pass: 'other' } })
    open.push(await transport.open({ receive: () => undefined, report: (report) => void reports.push(report) }))
    await until(() => reports.length > 0)
    expect(reports[0]).toMatchObject({ kind: 'transport:degraded', error: { code: 'WARP_E_AUTH' } })
  })

  test('answers come under a subject of one’s own, where permissions ask for one', async () => {
    const servers = await server()
    const a = await client(servers, { user: 'own', pass: 'other' }, '_INBOX_own')
    const reader = a.follow()
    await a.append('one')
    await until(() => reader.ids.length === 1)
    expect(a.reports).toEqual([])
  })

  test('the way may be encrypted, and the server has to be who it says', async () => {
    const folder = temporaryFolder()
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name)) as [string, string]
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost']
    const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    execFileSync('openssl', [...request, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const servers = await NatsServers.single({ lines: [`tls { cert_file: "${cert}", key_file: "${key}" }`] })
    open.push(servers)
    const a = await client(servers.node.url, { tls: { caFile: cert } })
    const reader = a.follow()
    await a.append('one')
    await until(() => reader.ids.length === 1)
    await expect(client(servers.node.url, { tls: {} })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_TRANSPORT' }),
    )
  })

  test('JetStream may be that of a domain', async () => {
    const servers = await NatsServers.single({ domain: 'hub' })
    open.push(servers)
    const opened = (domain: string): Promise<LogClient> =>
      LogClient.open(natsOrderedLog({ servers: servers.urls, stream: 'orders', domain, timeoutMs: 300 }))
    const a = await opened('hub')
    open.push({ close: () => a.link.close() })
    const reader = a.follow()
    await a.append('one')
    await until(() => reader.ids.length === 1)
    expect(reader.records[0]).toMatchObject({ offset: 1, id: 'one' })
    await expect(opened('elsewhere')).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT' }))
  })
})

async function* nothing(): AsyncGenerator<Uint8Array> {
  // A state without bytes.
}
