import tseslint from 'typescript-eslint'

// Biome formats; ESLint looks only for faults that types make visible.
export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', '.local/', '.serverless/', 'eslint.config.js', '.dependency-cruiser.js'] },
  tseslint.configs.strictTypeChecked,
  {
    // what a process prints is events and metrics, each of a fixed form (P8); people who run a command are another matter
    files: ['**/*.ts'],
    ignores: ['gateway/telemetry/operator-*.ts', 'cli/**', 'infra/**', 'test/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        ...['stdout', 'stderr', 'emitWarning', 'report'].map((property) => ({
          object: 'process',
          property,
          message: 'Tell operators through an EventSink.',
        })),
      ],
      'no-restricted-imports': [
        'error',
        {
          paths: ['console', 'node:console', 'process', 'node:process'].map((name) => ({
            name,
            message: 'Tell operators through an EventSink.',
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
      // an arrow that ends in a call reads well
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // tsc's noPropertyAccessFromIndexSignature asks for the brackets
      '@typescript-eslint/dot-notation': 'off',
    },
  },
)
