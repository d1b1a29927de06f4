/** Payloads of operations that are issued again, or that name others which were. */
import type { Encodable } from '../encoding/encodable.ts'
import type { ReplicaId } from '../time/replica-id.ts'
import type { Position } from './positions.ts'
import { decodeWrite } from './read-write.ts'
import type { Addition } from './runs.ts'
import { encodeWrite, type Act } from './write.ts'

type Rename = (replica: ReplicaId, sequence: number) => readonly [ReplicaId, number]

/** The payload with other names for the dots in it. Throws `WARP_E_PROTOCOL` for what no verb makes. */
export function rebased(payload: Encodable, rename: Rename): Encodable {
  const write = decodeWrite(payload)
  const renamed = <Named extends { readonly replica: ReplicaId; readonly sequence: number }>(named: Named): Named => {
    const [replica, sequence] = rename(named.replica, named.sequence)
    return { ...named, replica, sequence }
  }
  return encodeWrite({ ...write, act: renamedAct(write.act, renamed), cuts: write.cuts.map(renamed) })
}

type Renaming = <Named extends { readonly replica: ReplicaId; readonly sequence: number }>(named: Named) => Named

function renamedAct(act: Act, renamed: Renaming): Act {
  switch (act.act) {
    case 'add':
      return { ...act, addition: renamedAddition(act.addition, renamed) }
    case 'fields':
      return { ...act, fields: act.fields.map((field) => renamedEntry(field, renamed)) }
    case 'scores':
      return { ...act, members: act.members.map((member) => renamedEntry(member, renamed)) }
    case 'insert':
      return { ...act, pivot: renamedPosition(act.pivot, renamed) }
    case 'set':
      return { ...act, position: renamedPosition(act.position, renamed) }
    case 'take':
      return { ...act, positions: act.positions.map((position) => renamedPosition(position, renamed)) }
    default:
      return act
  }
}

function renamedEntry<Entry extends object>(entry: Entry, renamed: Renaming): Entry {
  if (!('addition' in entry)) return entry
  return { ...entry, addition: renamedAddition(entry.addition as Addition, renamed) }
}

function renamedAddition(addition: Addition, renamed: Renaming): Addition {
  return addition.within === undefined ? addition : { ...addition, within: renamed(addition.within) }
}

function renamedPosition(position: Position, renamed: Renaming): Position {
  return { ...renamed(position), inserted: position.inserted.map(renamed) }
}
