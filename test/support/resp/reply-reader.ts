/** Replies of RESP2 and RESP3 as values to compare: written apart from the product's own code, from the protocol's description. */

export type Reply =
  | { readonly kind: 'simple' | 'error' | 'bulk' | 'verbatim' | 'double' | 'bigint'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'null' | 'nullArray' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'array' | 'set' | 'push' | 'map'; readonly items: readonly Reply[] }

interface Read {
  readonly reply: Reply
  readonly at: number
}

const AGGREGATES: Readonly<Record<string, 'array' | 'set' | 'push' | 'map'>> = {
  '*': 'array',
  '~': 'set',
  '>': 'push',
  '%': 'map',
}

/** The reply that begins there; `undefined` until it is whole. */
export function readReply(text: string, from: number): Read | undefined {
  const end = text.indexOf('\r\n', from)
  if (end < 0) return undefined
  const type = text[from]!
  const line = text.slice(from + 1, end)
  const at = end + 2
  if (type === '+') return { reply: { kind: 'simple', text: line }, at }
  if (type === '-') return { reply: { kind: 'error', text: line }, at }
  if (type === ':') return { reply: { kind: 'integer', value: BigInt(line) }, at }
  if (type === ',') return { reply: { kind: 'double', text: line }, at }
  if (type === '#') return { reply: { kind: 'boolean', value: line === 't' }, at }
  if (type === '_') return { reply: { kind: 'null' }, at }
  if (type === '$' || type === '=') return readBulk(text, type, { length: Number(line), at })
  const kind = AGGREGATES[type]
  if (kind === undefined) throw new Error(`no reply begins with ${JSON.stringify(text.slice(from, from + 40))}`)
  return readItems(text, kind, { count: Number(line), at })
}

function readBulk(text: string, type: string, { length, at }: { length: number; at: number }): Read | undefined {
  if (length < 0) return { reply: { kind: 'null' }, at }
  if (text.length < at + length + 2) return undefined
  if (text.slice(at + length, at + length + 2) !== '\r\n') throw new Error('a bulk does not end where it should')
  const body = text.slice(at, at + length)
  return {
    reply: type === '=' ? { kind: 'verbatim', text: body.slice(4) } : { kind: 'bulk', text: body },
    at: at + length + 2,
  }
}

function readItems(
  text: string,
  kind: 'array' | 'set' | 'push' | 'map',
  { count, at }: { count: number; at: number },
): Read | undefined {
  if (count < 0) return { reply: { kind: 'nullArray' }, at }
  const items: Reply[] = []
  for (let i = 0; i < (kind === 'map' ? count * 2 : count); i++) {
    const item = readReply(text, at)
    if (item === undefined) return undefined
    items.push(item.reply)
    at = item.at
  }
  return { reply: { kind, items }, at }
}
