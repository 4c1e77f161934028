import { defineConfig } from 'vitest/config'
import { COMMON } from './vitest.config.ts'

/** The integration suite as `npm run test:hostile` runs it: `test/hostile/run.ts` says which files stand apart. */
export default defineConfig({ ...COMMON, test: { ...COMMON.test, include: ['test/**/*.integration.test.ts'], isolate: false } })
