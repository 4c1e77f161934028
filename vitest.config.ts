import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { LONG } from './test/campaigns/long.ts'

/** These files replace modules or measure the memory of their process, so each one runs in its own process. */
const ISOLATED = ['executable-schema', 'batch-get', 'keyring-memory'].map((name) => `test/gateway/**/${name}.test.ts`)

/** `npm test` leaves these files out, by `--project=!long`. Without that option, Vitest runs every file. */
const LONG_FILES = [...LONG]

/** A worker runs a hundred files. With a small young generation, it would collect short-lived objects too often. */
const SHARED_NODE = ['--max-semi-space-size=64']

/** Settings of every configuration, also of the checks over shared data and of the suite under fault injection. */
export const COMMON = {
  // two copies of graphql reject each other's types, so all code uses the file that Node resolves
  resolve: { alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve('graphql')) }] },
  test: {
    setupFiles: ['test/harness/searched-output.ts'],
    // commands that tests start as processes load in half the time
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/node-compile', import.meta.url)) },
    pool: 'forks',
    maxWorkers: 2,
    // a busy machine takes three times as long
    testTimeout: 60_000,
    // a hook can seed a whole system or search all of its output
    hookTimeout: 120_000,
    server: { deps: { inline: [/graphql-shield/, /graphql-middleware/, /@graphql-tools/] } },
  },
} satisfies ViteUserConfig

export default defineConfig({
  ...COMMON,
  test: {
    ...COMMON.test,
    projects: [
      // Modules keep no state, so test files can share the loaded modules. This saves a third of the time.
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: [...ISOLATED, ...LONG_FILES],
          isolate: false,
          execArgv: SHARED_NODE,
        },
      },
      { extends: true, test: { name: 'long', include: LONG_FILES, isolate: false, execArgv: SHARED_NODE } },
      { extends: true, test: { name: 'isolated', include: ISOLATED, exclude: LONG_FILES } },
    ],
  },
})
