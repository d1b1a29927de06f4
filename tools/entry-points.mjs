/**
 * The entry points of the package: from the name of the bundle in `lib/` to its source. A file of
 * its own, because tests ask it without wanting a bundler.
 */

/** @type {Readonly<Record<string, string>>} */
export const ENTRIES = {
  index: 'adapters/node/index.ts',
  crdt: 'crdt/index.ts',
  yjs: 'crdt/documents/yjs.ts',
  automerge: 'crdt/documents/automerge.ts',
  file: 'adapters/file/index.ts',
  memory: 'adapters/memory/index.ts',
  mesh: 'adapters/mesh/index.ts',
  nats: 'adapters/nats/index.ts',
  presets: 'adapters/presets/index.ts',
  sql: 'adapters/stores/sql/index.ts',
  redis: 'adapters/redis/index.ts',
  resp: 'adapters/resp/index.ts',
  'y-websocket': 'adapters/y-websocket/index.ts',
  gateway: 'adapters/gateway/index.ts',
  guest: 'adapters/guest/index.ts',
  kafka: 'adapters/kafka/index.ts',
  keyv: 'adapters/stores/keyv/index.ts',
  'express-session': 'adapters/express-session/index.ts',
  unstorage: 'adapters/unstorage/index.ts',
  msgpackr: 'adapters/stores/msgpackr/index.ts',
  prometheus: 'adapters/prometheus/index.ts',
  opentelemetry: 'adapters/opentelemetry/index.ts',
  http: 'adapters/http/index.ts',
  conformance: 'adapters/conformance/index.ts',
  testing: 'testing/index.ts',
}

/**
 * Programs: nobody imports them, so they have no types. The demo starts processes by these names.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const PROGRAMS = {
  warp: 'bin/warp.ts',
  'replica-process': 'bin/demo/replicas/replica-process.ts',
  'author-process': 'bin/demo/authors/author-process.ts',
}

/** Packages that a bundle imports instead of holding. */
export const THIRD_PARTIES = [
  ...['yjs', '@automerge/automerge', 'fast-check', 'commander'],
  ...['kysely', 'ioredis', 'kafkajs', 'keyv', 'msgpackr', 'express-session', 'unstorage'],
  ...['prom-client', '@opentelemetry/api', 'ws', '@nats-io/transport-node', '@nats-io/jetstream'],
]
