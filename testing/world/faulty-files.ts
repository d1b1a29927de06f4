/**
 * A disk in RAM that behaves as badly as disks may: the log's tormentor. `kill()` is a `kill -9`
 * (everything that was written is there), `crash()` is a power failure (what was not flushed is
 * there in parts); both leave this object dead and return another one with what survived.
 *
 * *Contents.* A write is kept in a journal until a flush begun after it has succeeded. A crash
 * decides for each sector of 512 bytes on its own how many of the writes that touched it, oldest
 * first, reached the platter (the page cache writes a sector as it is at some moment), and now and
 * then tears the next one in the middle. The file's length is one that it had since its last flush;
 * bytes inside it that never arrived are zero.
 *
 * *Failed flushes.* As on Linux, what a failed flush did not write is not tried again: a later
 * flush succeeds all the same, and a crash may still lose it (Rebello et al., "Can applications
 * recover from fsync failures?", 2020).
 *
 * *Names.* Each creation, rename and removal since the last `syncNames` survives or not, whatever
 * became of the others. That is less than journaling file systems keep and as much as the port
 * promises. A rename is atomic.
 *
 * *Steps.* Every call that changes something is a step and has a number, so that a test can crash
 * at each of them in turn (`crashAtStep`) or let it fail (`failStep`). A step that crashes has been
 * taken in as one that was not flushed.
 */
import type { LogFile, LogStore } from '../../src/ports/files.ts'
import type { FaultCode, FaultyCall, FaultyFiles, FaultyFilesOptions } from './faulty-disk.ts'
import { FaultyInode } from './faulty-inode.ts'
import { type Random, seededRandom } from './random.ts'

export type { FaultCode, FaultyCall, FaultyFiles, FaultyFilesOptions }

export function faultyFiles(options: FaultyFilesOptions = {}): FaultyFiles {
  const random = seededRandom(options.seed ?? 1)
  return new FaultyFolder({ ...options, random, boot: 1, names: new Map() })
}

interface FolderState extends FaultyFilesOptions {
  readonly random: Random
  readonly boot: number
  readonly names: ReadonlyMap<string, FaultyInode>
}

/**
 * A change of names that is not yet durable: the inode has this name and no other from now on;
 * `undefined` takes the name away.
 */
type NameChange = readonly [name: string, inode: FaultyInode | undefined]

interface HeldSync {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

class FaultyFolder implements FaultyFiles {
  readonly persistent = true
  readonly home: string
  readonly bootId: string
  readonly journal: FaultyCall[] = []
  readonly occurred: Map<string, number> = new Map()
  spaceBytes: number
  holdSyncs: boolean
  flushing: (() => Promise<void>) | undefined
  onStep: ((call: FaultyCall) => void) | undefined
  #crashed = false
  readonly #state: FolderState
  #names: Map<string, FaultyInode>
  #durableNames: Map<string, FaultyInode>
  #nameChanges: NameChange[] = []
  readonly #stepFaults = new Map<number, FaultCode>()
  readonly #callFaults = new Map<FaultyCall, FaultCode[]>()
  #crashStep = -1
  #heldSyncs: HeldSync[] = []

  constructor(state: FolderState) {
    this.#state = state
    this.home = state.home ?? 'faulty-disk'
    this.bootId = `boot-${state.boot}`
    this.spaceBytes = state.spaceBytes ?? Infinity
    this.holdSyncs = state.holdSyncs ?? false
    this.#names = new Map(state.names)
    this.#durableNames = new Map(state.names)
  }

  get steps(): number {
    return this.journal.length
  }

  get crashed(): boolean {
    return this.#crashed
  }

  get heldSyncCount(): number {
    return this.#heldSyncs.length
  }

  list(): string[] {
    this.#assertAlive()
    return [...this.#names.keys()].sort()
  }

  open(name: string): LogFile {
    this.#call('open')
    return this.#file(this.#find(name))
  }

  create(name: string): LogFile {
    return this.#step('create', () => {
      if (this.#names.has(name)) throw diskError('EEXIST', `create ${name}`)
      const inode = new FaultyInode()
      this.#rename([name, inode])
      return this.#file(inode)
    })
  }

  rename(from: string, to: string): void {
    this.#step('rename', () => this.#rename([to, this.#find(from)]))
  }

  remove(name: string): void {
    this.#step('remove', () => {
      this.#find(name)
      this.#rename([name, undefined])
    })
  }

  syncNames(): Promise<void> {
    const names = new Map(this.#names)
    const changeCount = this.#nameChanges.length
    return this.#flush('syncNames', () => {
      this.#durableNames = names
      this.#nameChanges.splice(0, changeCount)
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  releaseSyncs({ count = Infinity, code }: { readonly count?: number; readonly code?: FaultCode } = {}): void {
    for (const held of this.#heldSyncs.splice(0, count)) {
      if (code === undefined) held.resolve()
      else held.reject(this.#fault(code, 'sync'))
    }
  }

  failStep(step: number, code: FaultCode): void {
    this.#stepFaults.set(step, code)
  }

  failNext(call: FaultyCall, code: FaultCode, count = 1): void {
    const faults = this.#callFaults.get(call) ?? []
    this.#callFaults.set(call, [...faults, ...new Array<FaultCode>(count).fill(code)])
  }

  mend(): void {
    this.#stepFaults.clear()
    this.#callFaults.clear()
  }

  crashAtStep(step: number): void {
    this.#crashStep = step
  }

  crash(): FaultyFiles {
    this.#die()
    const { random } = this.#state
    const names = new Map(this.#durableNames)
    for (const change of this.#nameChanges) {
      const survives = random.chance(0.5)
      this.#count(survives ? 'name kept' : 'name lost')
      if (survives) applyNames(names, change)
    }
    const torn = this.#state.tornSectors ?? true
    const survive = (inode: FaultyInode): FaultyInode => inode.crashed(random, torn, (what) => this.#count(what))
    return this.#next(new Map([...names].map(([name, inode]) => [name, survive(inode)])), this.#state.boot + 1)
  }

  kill(): FaultyFiles {
    this.#die()
    const next = this.#next(this.#names, this.#state.boot)
    next.#durableNames = new Map(this.#durableNames)
    next.#nameChanges = [...this.#nameChanges]
    return next
  }

  copy(home: string): FaultyFiles {
    const names = [...this.#names].map(([name, inode]) => {
      const copied = new FaultyInode()
      copied.replace(inode.read(0, inode.size))
      return [name, copied] as const
    })
    const random = this.#state.random.fork('copy')
    return new FaultyFolder({ ...this.#state, home, spaceBytes: Infinity, names: new Map(names), random })
  }

  edit(name: string, change: (bytes: Uint8Array) => Uint8Array): void {
    this.#find(name).replace(change(this.bytes(name)))
  }

  flipBit(name: string, bit: number): void {
    this.edit(name, (bytes) => {
      const at = bit >>> 3
      const byte = bytes[at]
      if (byte === undefined) throw new RangeError(`bit ${bit} is outside ${name} of ${bytes.length} bytes`)
      bytes[at] = byte ^ (1 << (bit & 7))
      return bytes
    })
  }

  bytes(name: string): Uint8Array {
    const inode = this.#find(name)
    return inode.read(0, inode.size)
  }

  store(): LogStore {
    return { name: 'faulty', open: () => Promise.resolve(this) }
  }

  #next(names: ReadonlyMap<string, FaultyInode>, boot: number): FaultyFolder {
    const { spaceBytes, holdSyncs } = this
    return new FaultyFolder({
      ...this.#state,
      spaceBytes,
      holdSyncs,
      names,
      boot,
      random: this.#state.random.fork('next life'),
    })
  }

  #die(): void {
    this.#crashed = true
    for (const { reject } of this.#heldSyncs.splice(0)) reject(diskError('ECRASHED', 'sync'))
  }

  #file(inode: FaultyInode): LogFile {
    let closed = false
    const opened = <Result>(call: () => Result): Result => {
      if (closed) throw diskError('EBADF', 'the file is closed')
      return call()
    }
    return {
      get size() {
        return inode.size
      },
      read: (offset, length) =>
        opened(() => {
          this.#call('read')
          return inode.read(offset, length)
        }),
      write: (offset, bytes) => opened(() => this.#step('write', () => this.#write(inode, offset, bytes))),
      reserve: (size) => opened(() => this.#step('reserve', () => this.#reserve(inode, size))),
      truncate: (size) => opened(() => this.#step('truncate', () => inode.truncate(size))),
      sync: async () => {
        const flush = opened(() => inode.flush())
        await this.#flush('sync', flush.succeed, flush.fail)
      },
      close: () => {
        closed = true
      },
    }
  }

  #write(inode: FaultyInode, offset: number, bytes: Uint8Array): void {
    const room = inode.size + this.#free()
    const fits = Math.max(0, Math.min(bytes.length, room - offset))
    if (fits > 0) inode.write(offset, bytes.subarray(0, fits))
    if (fits < bytes.length) throw this.#fault('ENOSPC', 'write')
  }

  #reserve(inode: FaultyInode, size: number): void {
    if (size - inode.size > this.#free()) throw this.#fault('ENOSPC', 'reserve')
    inode.extend(size)
  }

  #free(): number {
    let used = 0
    for (const inode of new Set(this.#names.values())) used += inode.size
    return this.spaceBytes - used
  }

  #find(name: string): FaultyInode {
    const inode = this.#names.get(name)
    if (inode === undefined) throw diskError('ENOENT', name)
    return inode
  }

  #rename(change: NameChange): void {
    applyNames(this.#names, change)
    this.#nameChanges.push(change)
  }

  /** A call that changes something: counted, and where the machine may die. */
  #step<Result>(call: FaultyCall, effect: () => Result): Result {
    const step = this.#enter(call)
    const result = effect()
    this.#dieAt(step, call)
    return result
  }

  async #flush(call: 'sync' | 'syncNames', succeed: () => void, fail: () => void = () => undefined): Promise<void> {
    try {
      this.#dieAt(this.#enter(call), call)
      if (this.holdSyncs) await new Promise<void>((resolve, reject) => this.#heldSyncs.push({ resolve, reject }))
      else await this.flushing?.()
      this.#assertAlive()
    } catch (cause) {
      fail()
      throw cause
    }
    succeed()
  }

  #enter(call: FaultyCall): number {
    this.#assertAlive()
    this.onStep?.(call)
    this.#assertAlive()
    const step = this.journal.push(call) - 1
    const code = this.#stepFaults.get(step)
    if (code !== undefined) throw this.#fault(code, call)
    this.#call(call)
    return step
  }

  #dieAt(step: number, call: FaultyCall): void {
    if (step !== this.#crashStep) return
    this.#count('crash at step')
    this.#die()
    throw diskError('ECRASHED', call)
  }

  #call(call: FaultyCall): void {
    this.#assertAlive()
    const code = this.#callFaults.get(call)?.shift()
    if (code !== undefined) throw this.#fault(code, call)
  }

  #fault(code: FaultCode, call: FaultyCall): Error {
    this.#count(`${code} ${call}`)
    return diskError(code, call)
  }

  #count(what: string): void {
    this.occurred.set(what, (this.occurred.get(what) ?? 0) + 1)
  }

  #assertAlive(): void {
    if (this.#crashed) throw diskError('ECRASHED', 'the machine is dead')
  }
}

function applyNames(names: Map<string, FaultyInode>, [name, inode]: NameChange): void {
  names.delete(name)
  if (inode === undefined) return
  for (const [other, named] of names) if (named === inode) names.delete(other)
  names.set(name, inode)
}

function diskError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code })
}
