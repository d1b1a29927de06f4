/**
 * The direction of imports: bin → adapters → src → crdt, testing → src, no adapter into another one, inside `src/` from higher rooms to lower
 * ones, third parties at the edge only.
 */
import type { TextFile } from './source-tree.ts'
import { type Import, importsOf } from './imports.ts'

const RANK: Readonly<Record<string, number>> = { crdt: 0, src: 1, testing: 2, adapters: 3, bin: 4 }

/** The rooms of `src/`, from low to high. A file may import its own room and lower ones. `docs/architecture.md` says what each is for. */
export const ROOMS: readonly string[] = [
  ...['limits', 'ports', 'operation', 'keys', 'log', 'merge', 'cache', 'store', 'history', 'watch', 'projections'],
  ...[
    'compaction',
    'membership',
    'replication',
    'data-layer',
    'strong',
    'audit',
    'transfer',
    'channels',
    'guests',
    'api',
    'observability',
  ],
  ...['control'],
  ...['engine', 'warp', 'index'],
]

/** Strategies that wrap a library are mathematics all the same; each has an entry point of its own. */
const LIBRARY_STRATEGIES = ['crdt/documents/yjs.ts', 'crdt/documents/yjs-content.ts', 'crdt/documents/automerge.ts']

/** What draws random cases for users' tests, and nothing else in `warp-engine/testing`: the simulator and the judges do without. */
const RANDOM_CASES = { files: ['testing/arbitraries.ts', 'testing/check-strategy.ts'], library: 'fast-check' }

/** The one dependency at run time parses command lines, and nothing but the command line may know it. */
/** Adapters that speak to a broker, and have a preset. */
const BROKERS: readonly string[] = ['nats', 'redis', 'kafka']
const COMMAND_LINE = { folder: 'bin/cli/', library: 'commander' }

export function layerViolations(files: readonly TextFile[]): string[] {
  return files.flatMap((file) => importsOf(file)).flatMap((edge) => violation(edge) ?? [])
}

function violation(edge: Import): string | undefined {
  const ring = ringOf(edge.from)
  const target = ringOf(edge.to)
  if (RANK[target] === undefined) return outsideViolation(edge, ring)
  if ((RANK[target] ?? 0) > (RANK[ring] ?? 0)) return `${edge.from}: ${ring} may not import ${edge.to}`
  if (ring === 'src' && target === 'src') return roomViolation(edge)
  return ring === 'adapters' && target === 'adapters' ? adapterViolation(edge) : undefined
}

function adapterViolation(edge: Import): string | undefined {
  const [own, other] = [adapterOf(edge.from), adapterOf(edge.to)]
  if (own === other || other === 'conformance') return undefined
  // What all that speak to a broker have in common.
  if (other === 'broker') return undefined
  // `openWarp({ control })` opens the engine with its door.
  if (own === 'node' && other === 'control') return undefined
  // To put adapters together is what a preset is.
  if (own === 'presets' && ['file', 'mesh'].includes(other)) return undefined
  // The preset of a broker comes with its adapter: who has no such client installed does not load it.
  if (BROKERS.includes(own) && other === 'presets') return undefined
  return `${edge.from}: an adapter may not import another one: ${edge.to}`
}

function roomViolation({ from, to }: Import): string | undefined {
  const [own, other] = [roomOf(from), roomOf(to)]
  const unknown = [own, other].find((room) => !ROOMS.includes(room))
  if (unknown !== undefined) return `${from}: src/ has no room '${unknown}'; list it in ROOMS, or move the file`
  if (ROOMS.indexOf(other) <= ROOMS.indexOf(own)) return undefined
  return `${from}: '${own}' lies below '${other}' and may not import ${to}`
}

/** `src/log/files/a.ts` stands in the room `log`, `src/engine.ts` is a room of its own. */
function roomOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.ts$/, '')
}

function outsideViolation(edge: Import, ring: string): string | undefined {
  if (edge.to.includes('/') && !isPackage(edge.to)) return `${edge.from}: ${edge.to} is no part of the product`
  const isNode = edge.to.startsWith('node:')
  if (isNode)
    return ring === 'adapters' || ring === 'bin' ? undefined : `${edge.from}: ${ring} may not import ${edge.to}`
  if (ring === 'adapters' || LIBRARY_STRATEGIES.includes(edge.from)) return undefined
  if (edge.to === RANDOM_CASES.library && RANDOM_CASES.files.includes(edge.from)) return undefined
  if (edge.to === COMMAND_LINE.library && edge.from.startsWith(COMMAND_LINE.folder)) return undefined
  return `${edge.from}: third parties live in adapters/ only: ${edge.to}`
}

/** Relative imports have been resolved to paths that end in `.ts`. */
function isPackage(specifier: string): boolean {
  return !specifier.endsWith('.ts') && !specifier.startsWith('..')
}

function ringOf(path: string): string {
  return path.endsWith('.ts') ? (path.split('/')[0] ?? '') : ''
}

/** `adapters/stores/` holds an adapter in each of its folders. */
function adapterOf(path: string): string {
  const [, adapter = '', technology = ''] = path.split('/')
  return adapter === 'stores' ? `stores/${technology}` : adapter
}
