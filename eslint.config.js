import tseslint from 'typescript-eslint'

// Biome formats the code. ESLint only looks for faults that type information reveals.
export default tseslint.config(
  {
    ignores: [
      'infra/npm/starter/**',
      'node_modules/',
      'dist/',
      '.local/',
      '.serverless/',
      'eslint.config.js',
      '.dependency-cruiser.js',
      '.dependency-cruiser.runtime.js',
    ],
  },
  tseslint.configs.strictTypeChecked,
  {
    // A process prints only events and metrics, each in a fixed form (P8). Commands and local tools print text for people.
    files: ['**/*.ts'],
    ignores: ['gateway/telemetry/operator-*.ts', 'bench/**', 'cli/**', 'infra/**', 'test/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        ...['stdout', 'stderr', 'emitWarning', 'report'].map((property) => ({
          object: 'process',
          property,
          message: 'Report to operators through an EventSink.',
        })),
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: ['console', 'node:console', 'process', 'node:process'].map((name) => ({
            name,
            message: 'Report to operators through an EventSink.',
          })),
        },
      ],
    },
  },
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // an un-awaited flush is a lost audit record
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: false }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // an arrow function that ends in a void call is readable
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // tsc's noPropertyAccessFromIndexSignature requires the brackets
      '@typescript-eslint/dot-notation': 'off',
    },
  },
)
