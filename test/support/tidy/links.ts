/** Relative links and anchors in Markdown, as GitHub resolves them. */
import path from 'node:path'
import type { TextFile } from './source-tree.ts'

const FENCED = /^( *)(```|~~~)[\s\S]*?^\1\2 *$/gm
const LINK = /\]\(([^()\s]+)(?: "[^"]*")?\)|^\[[^\]]+\]: (\S+)|\b(?:src|href)="([^"]+)"/gm

/** `exists` answers for paths from the root. Links to the web are not followed. */
export function brokenLinks(documents: readonly TextFile[], exists: (path: string) => boolean): string[] {
  const anchors = new Map(documents.map((document) => [document.path, anchorsOf(document.text)]))
  return documents.flatMap((document) =>
    linksOf(document.text).flatMap((link) => {
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? document.path : path.posix.join(path.posix.dirname(document.path), file)
      if (!exists(target.replace(/\/$/, ''))) return [`${document.path}: ${link} leads nowhere`]
      if (anchor === undefined || !target.endsWith('.md')) return []
      return anchors.get(target)?.has(anchor) === true ? [] : [`${document.path}: ${link} has no such heading`]
    }),
  )
}

function linksOf(text: string): string[] {
  const prose = text.replaceAll(FENCED, '').replaceAll(/`[^`\n]*`/g, '')
  return [...prose.matchAll(LINK)]
    .map((found) => found[1] ?? found[2] ?? found[3] ?? '')
    .filter((link) => !/^[a-z][a-z0-9+.-]*:/i.test(link))
}

/** The names that headings get, numbered where they repeat. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  const counts = new Map<string, number>()
  for (const [, heading = ''] of text.replaceAll(FENCED, '').matchAll(/^#{1,6} +(.+?) *#* *$/gm)) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-')
    const count = counts.get(slug) ?? 0
    counts.set(slug, count + 1)
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  for (const [, id = ''] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id)
  return anchors
}
