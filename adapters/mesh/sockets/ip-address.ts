/**
 * IP addresses as text and as bytes, without asking the platform: IPv4 in dotted decimal, IPv6 as
 * RFC 4291 reads and RFC 5952 writes it. An address with a scope (`fe80::1%eth0`) means something
 * on this machine only, so it has no bytes that could be told to others.
 */

/** 4 or 16 bytes; `undefined` for anything but an IP literal without a scope. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** The one text of an address: equal addresses have equal texts. */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join('.')}`
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at]! << 8) | bytes[at + 1]!).toString(16))
  const [start, length] = longestZeroRun(groups)
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

/**
 * An address as sockets show it: its one text, IPv4 without a prefix; a scope stays. Names are left
 * as they are.
 */
export function canonicalIp(text: string): string {
  const [address = '', scope] = text.split('%', 2)
  const bytes = parseIp(address)
  if (bytes === undefined) return text
  const canonical = formatIp(ipv4Part(bytes) ?? bytes)
  return scope === undefined ? canonical : `${canonical}%${scope}`
}

/** Whether an IP literal names this machine only. */
export function isLoopback(host: string): boolean {
  const bytes = parseIp(host)
  if (bytes === undefined) return false
  const ipv4 = ipv4Part(bytes)
  return ipv4 === undefined ? formatIp(bytes) === '::1' : ipv4[0] === 127
}

/**
 * Whether an IP literal can be one member's address: neither unspecified, nor multicast, nor
 * broadcast.
 */
export function isUnicast(host: string): boolean {
  const bytes = parseIp(host.split('%', 1)[0] ?? '')
  if (bytes === undefined || bytes.every((byte) => byte === 0)) return false
  const ipv4 = ipv4Part(bytes)
  return ipv4 === undefined ? bytes[0] !== 0xff : ipv4[0]! > 0 && ipv4[0]! < 224
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined
  return Uint8Array.from(parts, Number)
}

function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined
  const [head = '', tail, more] = text.split('::')
  if (more !== undefined) return undefined
  const before = parseGroups(head, tail === undefined)
  const after = tail === undefined ? [] : parseGroups(tail, true)
  if (before === undefined || after === undefined) return undefined
  const missing = 16 - before.length - after.length
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined
  return Uint8Array.from([...before, ...new Array<number>(missing).fill(0), ...after])
}

/** The bytes of `a:b:c`; at the end of an address the last group may be IPv4. */
function parseGroups(text: string, isAtEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups = text.split(':')
  const bytes: number[] = []
  for (const [i, group] of groups.entries()) {
    const mayBeIpv4 = isAtEnd && i === groups.length - 1 && group.includes('.')
    const ipv4 = mayBeIpv4 ? parseIpv4(group) : undefined
    if (ipv4 !== undefined) bytes.push(...ipv4)
    else if (/^[\da-f]{1,4}$/i.test(group)) bytes.push(parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff)
    else return undefined
  }
  return bytes
}

function longestZeroRun(groups: readonly string[]): [start: number, length: number] {
  let best: [number, number] = [0, 0]
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === '0') end++
    if (end - start > best[1]) best = [start, end - start]
  }
  return best
}

function ipv4Part(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length === 4) return bytes
  return isMapped(bytes) ? bytes.subarray(12) : undefined
}

/** `::ffff:a.b.c.d`, as sockets of both families show IPv4. */
function isMapped(bytes: Uint8Array): boolean {
  return (
    bytes.length === 16 && bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  )
}
