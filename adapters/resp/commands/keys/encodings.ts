/** How Redis would hold a key, by its sizes: OBJECT ENCODING. */
import { INT64_MAX, parseWhole } from '../../protocol/numbers.ts'
import type { KeyView } from '../../call/key-facts.ts'

const EMBEDDED_BYTES_MAX = 44
const LISTPACK_ENTRIES_MAX = 128
const INTSET_ENTRIES_MAX = 512

/** `undefined` where there is no key. */
export function encodingOf(view: KeyView): string | undefined {
  switch (view.kind) {
    case undefined:
      return undefined
    case 'string':
      return ofString(view.text ?? '')
    case 'list':
      return 'quicklist'
    case 'set':
      return isOfIntegers(view) ? 'intset' : 'hashtable'
    case 'hash':
      return view.size <= LISTPACK_ENTRIES_MAX ? 'listpack' : 'hashtable'
    case 'stream':
      return 'stream'
    case 'zset':
      return view.size <= LISTPACK_ENTRIES_MAX ? 'listpack' : 'skiplist'
  }
}

function ofString(text: string): string {
  const whole = parseWhole(text)
  if (whole !== undefined && whole <= INT64_MAX) return 'int'
  return text.length <= EMBEDDED_BYTES_MAX ? 'embstr' : 'raw'
}

function isOfIntegers({ size, entries }: KeyView): boolean {
  if (size > INTSET_ENTRIES_MAX) return false
  for (let place = 0; place < size; place++) if (parseWhole(entries.at(place)?.name ?? '') === undefined) return false
  return true
}
