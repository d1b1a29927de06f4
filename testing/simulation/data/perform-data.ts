/** Carries out what users and outsiders do with data that is kept elsewhere. */
import type { Warp } from '../../../src/api/public.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { SettleOptions } from '../../../src/store/write-road/receipt.ts'
import type { Life } from '../life.ts'
import type { DataIntent, Said, Saying } from './data-intent.ts'
import { LISTS, LOADED, numbersOf, REGISTERS, spaceOf, tagOf } from './data-keys.ts'
import type { DataSources } from './data-sources.ts'

type Change = Extract<DataIntent, { readonly kind: 'change' }>
type OfLease = Extract<DataIntent, { readonly kind: 'attach' | 'renew' | 'revoke' }>

export function performData(warp: Warp<KeyMap>, intent: DataIntent, data: DataSources, life: Life): Promise<unknown> {
  switch (intent.kind) {
    case 'getOrSet':
      return warp.getOrSet(intent.key, () => data.source.load(life, intent.key))
    case 'forget':
      warp.invalidateLocal(intent.key)
      return Promise.resolve()
    case 'change':
      return change(warp, intent, data)
    case 'grant':
      return grant(warp, intent, data)
    case 'attach':
    case 'renew':
    case 'revoke':
      return ofLease(warp, intent, data)
  }
}

async function change(warp: Warp<KeyMap>, { key, added, said, ack }: Change, data: DataSources): Promise<unknown> {
  const versions = new Map([[key, changed(data, key, added)]])
  if (said === undefined) return undefined
  return { ...(await say(warp, said, key, wish(ack))), versions } satisfies Said
}

/** Returns what is there now: a version, or what was added. */
function changed({ source, rows }: DataSources, key: string, added: number): number {
  const space = spaceOf(key)
  if (LOADED.includes(space)) return source.change(key)
  const before = numbersOf(rows.value(key))
  if (LISTS.includes(space)) rows.put(key, [...before, added])
  else rows.put(key, REGISTERS.includes(space) ? added : (before[0] ?? 0) + added)
  return added
}

function say(warp: Warp<KeyMap>, said: Saying, key: string, options: SettleOptions): ReturnType<typeof warp.clear> {
  switch (said) {
    case 'key':
      return warp.invalidate(key, options)
    case 'pattern':
      return warp.invalidate(`${spaceOf(key)}:*`, options)
    case 'tag':
      return warp.invalidateTag(tagOf(key), options)
    case 'clear':
      return warp.clear(key, options)
  }
}

async function grant(
  warp: Warp<KeyMap>,
  { lease, ttlMs, ack }: Extract<DataIntent, { readonly kind: 'grant' }>,
  data: DataSources,
): Promise<Said> {
  const { id, ...granted } = await warp.leases.grant({ ttlMs, ...wish(ack) })
  data.leases.set(lease, id)
  return { ...granted, lease: id, versions: new Map() }
}

/** Nothing, where nobody has been granted the lease yet. */
async function ofLease(warp: Warp<KeyMap>, intent: OfLease, data: DataSources): Promise<Said | undefined> {
  const lease = data.leases.get(intent.lease)
  if (lease === undefined) return undefined
  const versions = new Map<string, number>()
  if (intent.kind === 'revoke') for (const key of intent.keys) versions.set(key, data.source.change(key))
  return { ...(await receiptOf(warp, intent, lease)), lease, versions }
}

function receiptOf(warp: Warp<KeyMap>, intent: OfLease, lease: string): ReturnType<typeof warp.leases.renew> {
  const options = wish(intent.ack)
  switch (intent.kind) {
    case 'attach':
      return warp.leases.attach(lease, intent.target, options)
    case 'renew':
      return warp.leases.renew(lease, options)
    case 'revoke':
      return warp.leases.revoke(lease, options)
  }
}

function wish(ack: SettleOptions['ack']): SettleOptions {
  return ack === undefined ? {} : { ack }
}
