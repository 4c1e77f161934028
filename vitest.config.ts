import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** They change modules for themselves, or weigh what their process keeps: each has its own. */
const APART = ['executable-schema', 'batch-get', 'keyring-memory'].map((name) => `test/gateway/**/${name}.test.ts`)

/** What the checks over shared data, and the suite in bad weather, hold to as well. */
export const COMMON = {
  // two copies of graphql would not know each other's types: everything uses the file that Node itself resolves
  resolve: { alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve('graphql')) }] },
  test: {
    setupFiles: ['test/harness/searched-output.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    // a hook seeds a whole system, or searches all that it left
    hookTimeout: 60_000,
    server: { deps: { inline: [/graphql-shield/, /graphql-middleware/, /@graphql-tools/] } },
  },
} satisfies ViteUserConfig

export default defineConfig({
  ...COMMON,
  test: {
    ...COMMON.test,
    projects: [
      // no module keeps a state of its own, so that files can share what was loaded: it saves a third of the time
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts'], exclude: APART, isolate: false } },
      { extends: true, test: { name: 'apart', include: APART } },
    ],
  },
})
