import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // two copies of graphql would not know each other's types: everything uses the file that Node itself resolves
  resolve: { alias: [{ find: /^graphql$/, replacement: fileURLToPath(import.meta.resolve('graphql')) }] },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/searched-output.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    // a hook seeds a whole system, or searches all that it left
    hookTimeout: 60_000,
    server: { deps: { inline: [/graphql-shield/, /graphql-middleware/, /@graphql-tools/] } },
  },
})
