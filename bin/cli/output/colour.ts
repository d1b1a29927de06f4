/**
 * Colours where a person looks: on a terminal, unless NO_COLOR (no-color.org) says otherwise.
 * Elsewhere text stays as it is.
 */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

export type Paint = Readonly<Record<keyof typeof CODES, (text: string) => string>>

export function paintFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Paint {
  const isColoured = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  const paint = (code: number) => (text: string) => (isColoured && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text)
  const names = Object.entries(CODES).map(([name, code]) => [name, paint(code)])
  return Object.fromEntries(names) as Paint // made from CODES' own names
}
