/**
 * Makes `lib/`, which is what the package publishes: one bundled file for each entry point. Code that
 * several entry points need stands in chunks beside them, so that no class exists twice at run time.
 * Each entry point has its types in one file, as `.d.ts` for `import` and as `.d.cts` for `require`.
 * The tarball holds once, beside the bundles, the sources of what users call. Bundles stay readable: a
 * comment in front of each part names the source that it comes from, so there are no maps.
 *
 *     node tools/bundle.mjs
 */
import { build } from 'esbuild'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { readFile } from 'node:fs/promises'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import ts from 'typescript'
import { ensureBuilt } from './built.mjs'
import { ENTRIES, PROGRAMS, THIRD_PARTIES } from './entry-points.mjs'

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const LIB = path.join(ROOT, 'lib')
const STAMP = path.join(LIB, '.bundled')

/** Bundles, unless `lib/` is newer than `dist/` and this tool. */
export async function ensureBundled() {
  ensureBuilt()
  const newest = ['dist/.built', 'tools/bundle.mjs', 'tools/entry-points.mjs', 'package.json'].map(
    (name) => statSync(path.join(ROOT, name)).mtimeMs,
  )
  if (existsSync(STAMP) && statSync(STAMP).mtimeMs >= Math.max(...newest)) return
  rmSync(LIB, { recursive: true, force: true })
  await bundleCode()
  await bundleTypes('ts')
  await bundleTypes('cts')
  // Node loads modules by `require` since 20.19; a file of its own says so to tools and compilers.
  for (const name of Object.keys(ENTRIES)) {
    writeFileSync(path.join(LIB, `${name}.cjs`), `module.exports = require('./${name}.js')\n`)
  }
  writeFileSync(STAMP, '')
}

async function bundleCode() {
  await build({
    absWorkingDir: ROOT,
    entryPoints: { ...ENTRIES, ...PROGRAMS },
    outdir: LIB,
    bundle: true,
    splitting: true,
    format: 'esm',
    // Names stay, for stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    // Node shows the whole line that threw: bundles of one line would fill the terminal of whoever has an error.
    lineLimit: 160,
    platform: 'node',
    target: 'node20.19',
    external: THIRD_PARTIES,
    chunkNames: 'chunk-[hash]',
    logLevel: 'warning',
    plugins: [withoutComments],
  })
}

/**
 * Comments are in the sources and in the types; a third of the code that is parsed would be comments.
 *
 * @type {import('esbuild').Plugin}
 */
const withoutComments = {
  name: 'without-comments',
  setup(bundling) {
    bundling.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      const { target, module } = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext }
      const compilerOptions = { target, module, removeComments: true, verbatimModuleSyntax: true }
      return { contents: ts.transpileModule(await readFile(file, 'utf8'), { compilerOptions }).outputText }
    })
  },
}

/**
 * Types of packages that are modules only. A declaration in CommonJS has to say that it means these:
 * at run time nothing is imported, and `require` loads modules anyway.
 *
 * @type {import('rollup').OutputPlugin}
 */
const importedAsModules = {
  name: 'imported-as-modules',
  renderChunk: (code) =>
    code.replaceAll(
      /^import (?:type )?(.*) from '(yjs|@automerge\/automerge)';$/gm,
      "import type $1 from '$2' with { 'resolution-mode': 'import' };",
    ),
}

/**
 * The explanations of the types lie in the tarball once, in the `.d.ts`: twice they would be a tenth
 * of it.
 *
 * @type {import('rollup').OutputPlugin}
 */
const withoutExplanations = {
  name: 'without-explanations',
  renderChunk: (code) => code.replaceAll(/^[ \t]*\/\*\*[^]*?\*\/\n/gm, ''),
}

/** @param {'ts' | 'cts'} kind */
async function bundleTypes(kind) {
  const declarations = Object.entries(ENTRIES).map(([name, source]) => {
    return [name, path.join(ROOT, 'dist', source.replace(/\.ts$/, '.d.ts'))]
  })
  const types = await rollup({
    input: Object.fromEntries(declarations),
    plugins: [dts()],
    external: (id) => id.startsWith('node:') || THIRD_PARTIES.includes(id),
    onwarn: ({ message }) => {
      throw new Error(`bundling the types: ${message}`)
    },
  })
  await types.write({
    dir: LIB,
    format: 'es',
    entryFileNames: `[name].d.${kind}`,
    plugins: kind === 'cts' ? [importedAsModules, withoutExplanations] : [],
    chunkFileNames: ({ name }) => `types-${name.replace(/\.d$/, '')}.d.${kind}`,
  })
  await types.close()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureBundled()
  const sizes = readdirSync(LIB).map((name) => statSync(path.join(LIB, name)).size)
  console.log(`lib/: ${sizes.length} files, ${sizes.reduce((sum, size) => sum + size, 0)} bytes`)
}
