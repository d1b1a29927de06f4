/** Signs that a file is not finished. */
import type { TextFile } from './source-tree.ts'

/** The words are put together here, so that this file does not report itself. */
const MARKS = new RegExp(String.raw`\b(${['TO' + 'DO', 'FIX' + 'ME', 'HA' + 'CK', 'XX' + 'X'].join('|')})\b`)

export function unfinished(files: readonly TextFile[]): string[] {
  return files.flatMap((file) =>
    file.text.split('\n').flatMap((line, i) => (MARKS.test(line) ? [`${file.path}:${i + 1}: ${line.trim()}`] : [])),
  )
}

/** A test that is switched off, or that switches the others off. */
const SWITCHED_OFF = /\b(?:it|test|describe)\.(?:only|skip|todo)\b/

export function switchedOff(files: readonly TextFile[]): string[] {
  return files.filter((file) => SWITCHED_OFF.test(file.text)).map((file) => file.path)
}
