/** The fenced code blocks of a Markdown file. */
import type { TextFile } from '../tidy/source-tree.ts'

export interface FencedBlock {
  /** Everything behind the opening fence, `ts` for instance. */
  readonly info: string
  readonly code: string
  readonly path: string
  /** The line of the file that the code's first line is on. */
  readonly line: number
}

const BLOCK = /^( *)(```+)([^\n`]*)\n([\s\S]*?)^\1\2 *$/gm

export function fencedBlocks(document: TextFile): FencedBlock[] {
  return [...document.text.matchAll(BLOCK)].map((found) => ({
    info: (found[3] ?? '').trim(),
    code: found[4] ?? '',
    path: document.path,
    line: document.text.slice(0, found.index).split('\n').length + 1,
  }))
}

export function nameOf(block: FencedBlock): string {
  return `${block.path}:${block.line}`
}

/** Other names of the languages that are checked would get a block past the check. */
const KNOWN = new Set(['ts', 'sh', 'text', 'json', ''])

export function uncheckable(blocks: readonly FencedBlock[]): string[] {
  return blocks.filter(({ info }) => !KNOWN.has(info)).map((block) => `${nameOf(block)}: \`\`\`${block.info}`)
}

/** Scripts that shell blocks call and `package.json` does not have. */
export function unknownScripts(blocks: readonly FencedBlock[], scripts: readonly string[]): string[] {
  return blocks.flatMap((block) => {
    if (block.info !== 'sh') return []
    const called = [...block.code.matchAll(/\bnpm (?:run (?:-\S+ )*([\w:.-]+)|(test|start)\b)/g)]
    const names = called.map((found) => found[1] ?? found[2] ?? '')
    return names.filter((name) => !scripts.includes(name)).map((name) => `${nameOf(block)}: npm run ${name}`)
  })
}
