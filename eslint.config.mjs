/**
 * What a linter can say about the shape of the code. The direction of imports, cycles and links are `test/tidy.test.ts`'s.
 * A rule that is off is off for the reason beside it.
 */
import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

const NEUTRAL = 'crdt/, src/ and testing/ reach the world only through Env (src/ports/env.ts)'

const WORLD_GLOBALS = [
  'process',
  'Buffer',
  'console',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
  'crypto',
  'fetch',
  'global',
  'globalThis',
  'window',
  'self',
  'navigator',
  'require',
  'WeakRef',
  'FinalizationRegistry',
]

const bannedGlobals = [...WORLD_GLOBALS, 'Date'].map((name) => ({ name, message: NEUTRAL }))
const bannedOutsideCodec = WORLD_GLOBALS.map((name) => ({ name, message: NEUTRAL }))

const NEUTRAL_PROPERTIES = [
  { object: 'Math', property: 'random', message: NEUTRAL },
  { object: 'Date', property: 'now', message: NEUTRAL },
]

const NODE_MODULES = { regex: '^node:', message: NEUTRAL }
const outward = (/** @type {string} */ regex, /** @type {string} */ ring) => ({
  regex,
  message: `imports point bin -> adapters -> src -> crdt; ${ring} may not look outward`,
})

export default defineConfig(
  {
    // Models are dense on purpose: a whole protocol on a few pages, run by plain Node.
    ignores: [
      'dist/',
      'dist-*/',
      'lib/',
      'coverage/',
      'bench/results/',
      'node_modules/',
      'test/fixtures/',
      'test/models/*.mjs',
      // Plain JavaScript, without types to lint by; a test runs each of them.
      'examples/',
      'tools/clients/node/',
    ],
  },
  tseslint.configs.strictTypeChecked,
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: { parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // Indexes of typed arrays and lists in hot loops are within bounds by construction; `?? 0` there costs a branch and
      // hides the mistake. The style says where `!` is allowed; a reader judges.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      // Hexadecimal digits and other ASCII are taken apart by spreading.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      // Methods of plain objects and of strategies are called through the object; `this` is checked by the compiler.
      '@typescript-eslint/unbound-method': 'off',
      // `void promise` is how a deliberate fire-and-forget is written.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // The border checks what a caller without a compiler may pass in spite of the types.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // A port's implementation may have nothing to wait for; a generic may name a caller's type once.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true } }],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'hack', 'xxx'], location: 'start' }],
      // A warning on growth, for people to judge: does the file hold a second idea?
      'max-lines': ['warn', { max: 400 }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', { max: 4 }],
      'max-depth': ['error', { max: 3 }],
      // A hot decoder may disable this on its line, with the reason.
      complexity: ['error', { max: 12 }],
      eqeqeq: 'error',
      'no-empty': 'error',
    },
  },
  {
    files: ['crdt/**', 'src/**', 'testing/**', 'adapters/**', 'bin/**'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'error' },
  },
  {
    files: ['crdt/**', 'src/**', 'testing/**'],
    rules: {
      'no-restricted-globals': ['error', ...bannedGlobals],
      'no-restricted-properties': ['error', ...NEUTRAL_PROPERTIES],
      'no-restricted-syntax': [
        'error',
        { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: NEUTRAL },
        { selector: 'CallExpression[callee.name="Date"]', message: NEUTRAL },
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [NODE_MODULES, outward('/(adapters|bin)/', 'src/ and testing/')] },
      ],
    },
  },
  {
    files: ['src/**'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [NODE_MODULES, outward('/(testing|adapters|bin)/', 'src/')] }],
    },
  },
  {
    files: ['crdt/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [NODE_MODULES, outward('/(src|testing|adapters|bin)/', 'crdt/')] },
      ],
    },
  },
  {
    // `Date` is one of the types that a payload may hold: the codecs build it from milliseconds or text and recognise it.
    files: ['crdt/encoding/*.ts', 'src/control/tagged-json.ts'],
    rules: { 'no-restricted-globals': ['error', ...bannedOutsideCodec] },
  },
  {
    files: ['test/**', 'property-tests/**', 'bench/**', 'tools/**'],
    rules: {
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'use a seeded source' }],
      // A describe block is a chapter, not a function.
      'max-lines-per-function': 'off',
      // Tests read what JSON, child processes and `catch` hand them, and assert on it right there.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    // The tools read their configuration or plug-ins from a default export.
    files: ['eslint.config.mjs', 'vitest.config.ts', 'test/support/*-reporter.ts', 'test/support/global-setup.ts'],
    rules: { 'no-restricted-exports': 'off' },
  },
)
