/**
 * Which mutants a run plants, where it does not plant all of them: those that a change touches, and
 * a sample of the rest. The sample is drawn by a seed that comes from the commit, so that one
 * commit always has the same sample and the next one another: over some dozens of commits every
 * mutant has had its turn.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { MUTANTS_FOLDER } from './mutant-files.mjs'

/** @typedef {import('./mutant-files.mjs').Mutant} Mutant */

/** Without a base: so many commits count as the change. */
const COMMITS = 30

/**
 * The mutants that have to be looked at again after `files` have changed: those that are planted in
 * one of them, are to be found by one of them, or are one of them.
 *
 * @param {readonly Mutant[]} mutants
 * @param {ReadonlySet<string>} files paths from the root
 */
export function touchedBy(mutants, files) {
  const own = new Set([...files].filter((file) => file.startsWith(`${MUTANTS_FOLDER}/`)).map((file) => nameOf(file)))
  return mutants.filter(
    ({ name, file, killers }) => own.has(name) || files.has(file) || killers.some((killer) => files.has(killer.file)),
  )
}

/**
 * At most `count` of them. Whether a mutant comes before another depends on the seed and their
 * names alone, so a mutant more or less changes little.
 *
 * @param {readonly Mutant[]} mutants
 * @param {number} count
 * @param {number} seed
 */
export function sample(mutants, count, seed) {
  const places = new Map(mutants.map((mutant) => [mutant, place(mutant.name, seed)]))
  const placeOf = (/** @type {Mutant} */ mutant) => places.get(mutant) ?? ''
  return [...mutants].sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1)).slice(0, count)
}

/**
 * The files that differ from `base`: committed, not yet committed, or new.
 *
 * @param {string} root
 * @param {string} base a commit
 * @returns {Set<string>}
 */
export function changedFiles(root, base) {
  const changed = git(root, ['diff', '--name-only', '--no-renames', '-z', base])
  const added = git(root, ['ls-files', '--others', '--exclude-standard', '-z'])
  return new Set(`${changed}\0${added}`.split('\0').filter((file) => file !== ''))
}

/**
 * The commit from which on everything counts as the change: `WARP_BASE`; or where this branch left
 * `origin/main`; or, on that branch itself and where there is none, 30 commits ago. A shallow clone
 * may not go back so far: then its oldest commit. Throws if `WARP_BASE` is no commit.
 *
 * @param {string} root
 * @param {string | undefined} given `WARP_BASE`
 */
export function baseOf(root, given) {
  if (given !== undefined && given !== '') return namedCommit(root, given)
  const recent = git(root, ['rev-list', `--max-count=${COMMITS + 1}`, 'HEAD'])
    .trim()
    .split('\n')
  const left = mergeBase(root)
  return left !== undefined && left !== recent[0] ? left : (recent.at(-1) ?? 'HEAD')
}

/**
 * @param {string} root
 * @returns {number} the same for one commit, and another for the next
 */
export function seedOfCommit(root) {
  return Number.parseInt(git(root, ['rev-parse', 'HEAD']).slice(0, 8), 16)
}

/**
 * @param {string} root
 * @param {string} name
 */
function namedCommit(root, name) {
  try {
    return git(root, ['rev-parse', '--verify', '--end-of-options', `${name}^{commit}`]).trim()
  } catch (error) {
    throw new Error(`WARP_BASE is ${name}, which is no commit here`, { cause: error })
  }
}

/** @param {string} root */
function mergeBase(root) {
  try {
    return git(root, ['merge-base', 'HEAD', 'origin/main']).trim()
  } catch {
    // There is no such branch, or a shallow clone does not know where they parted.
    return undefined
  }
}

/**
 * @param {string} name
 * @param {number} seed
 */
function place(name, seed) {
  return createHash('sha256').update(`${seed} ${name}`).digest('hex')
}

/** @param {string} file */
function nameOf(file) {
  return file.slice(file.lastIndexOf('/') + 1).replace('.mutant', '')
}

/**
 * @param {string} root
 * @param {readonly string[]} parameters
 */
function git(root, parameters) {
  return execFileSync('git', parameters, {
    ...{ cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
    // What git says of a failure is in the error.
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
