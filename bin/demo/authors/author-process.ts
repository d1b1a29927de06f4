/**
 * One author of a history, in a process of its own: a log on disk, the mesh, and a transport that
 * holds back what has not been seen.
 */
import { fileLog } from '../../../adapters/file/index.ts'
import type { ReplicaId } from '../../../adapters/node/index.ts'
import type { AuthorCalls, AuthorSettings, AuthorStatus } from './author-calls.ts'
import { Author, type AuthorReplica } from './author.ts'
import { openDocument } from './document.ts'
import { HeldTransport } from '../replicas/held-transport.ts'
import { demoMesh } from '../replicas/mesh.ts'
import { serveCalls } from '../replicas/serve-calls.ts'

let opened: AuthorReplica | undefined

async function open({ folder, kind, hasSurrogates, ...place }: AuthorSettings): Promise<ReplicaId> {
  const held = new HeldTransport(demoMesh(place))
  const options = { log: fileLog({ path: folder }), transports: [held] }
  opened = { ...(await openDocument({ kind, hasSurrogates }, options)), held }
  return opened.warp.replica
}

function replica(): AuthorReplica {
  if (opened === undefined) throw new Error('this replica has not been opened')
  return opened
}

function status(): AuthorStatus {
  const { warp } = replica()
  const { isJoined, operations, log } = warp.stats()
  const heardCount = warp.peers().filter((peer) => peer.replica !== undefined).length
  return {
    isJoined,
    heardCount,
    writtenCount: operations.writtenCount,
    heldCount: log.operationsCount,
    logBytes: log.bytes,
  }
}

serveCalls<AuthorCalls>({
  open,
  status: async () => status(),
  hold: async () => replica().held.hold(),
  write: async (part) => (await Author.on(replica())).write(part),
  release: async () => replica().held.letAllThrough(),
  read: () => replica().document.read(),
  close: async () => replica().warp.close(),
})
