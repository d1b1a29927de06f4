/** `warp-engine/mesh`: replicas on several machines, or processes of one, without a broker. */
export { meshTransport } from './mesh-transport.ts'
export type { MeshTransport } from './mesh-transport.ts'
export type { MeshMember } from './membership/mesh-member.ts'
export type { MeshMulticastOptions, MeshOptions } from './options.ts'
export type { ClusterKeyInput } from './handshake/cluster-keys.ts'
export type { MeshClock } from './contacts/contact.ts'
export type {
  ByteStream,
  DatagramPort,
  Endpoint,
  MeshNetwork,
  MulticastPort,
  OnDatagram,
  StreamHandlers,
  StreamListener,
} from './sockets/network.ts'
