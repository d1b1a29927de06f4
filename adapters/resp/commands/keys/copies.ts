/** RENAME and COPY: the whole of a key, with its life, takes the place of another one. */
import type { Call } from '../../call/command.ts'
import { viewOf, write, type KeyView } from '../../call/key-facts.ts'

/** `from` is there. */
export function copyTo(call: Call, from: string, to: string): void {
  const view = viewOf(call, from)
  const replacing = { untilMs: view.untilMs }
  switch (view.kind) {
    case undefined:
      break
    case 'string':
      write(call, to, 'put', view.text ?? '', view.untilMs)
      break
    case 'hash':
      write(
        call,
        to,
        'setFields',
        [...namesIn(view)].map((name) => [name, view.field(name) ?? '']),
        replacing,
      )
      break
    case 'set':
      write(call, to, 'join', [...namesIn(view)], { replacing })
      break
    case 'zset':
      write(
        call,
        to,
        'setScores',
        [...namesIn(view)].map((name) => [name, view.score(name) ?? 0]),
        replacing,
      )
      break
    case 'list':
      write(call, to, 'push', { to: 'right', values: [...view.elementsFrom(0)], replacing })
      break
  }
}

function* namesIn({ entries }: KeyView): Generator<string, void> {
  for (let place = 0; place < entries.size; place++) {
    const entry = entries.at(place)
    if (entry !== undefined) yield entry.name
  }
}
