/**
 * The folders of one log. A folder reads with one reader and shows strategies one view, so it does
 * one fold at a time. A fold that users' code begins inside another one gets the next folder.
 */
import type { Log } from '../../log/log.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { Position } from '../../operation/position.ts'
import { usersCodeDepth } from '../users-code.ts'
import type { Rejection } from './application.ts'
import { Folder } from './folder.ts'

export class Folders {
  readonly #log: Log
  readonly #table: ReplicaTable
  readonly #onRejected: (rejection: Rejection) => void
  /** By depth. */
  readonly #folders: Folder[] = []
  readonly #reported = new Set<Position>()

  constructor(log: Log, table: ReplicaTable, onRejected: (rejection: Rejection) => void) {
    this.#log = log
    this.#table = table
    this.#onRejected = onRejected
  }

  /** The folder that nobody on the call stack is folding with. */
  get idle(): Folder {
    return (this.#folders[usersCodeDepth()] ??= new Folder(this.#log, this.#table, this.#onRejected, this.#reported))
  }
}
