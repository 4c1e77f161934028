import { defineConfig } from 'vitest/config'
import { COMMON } from './vitest.config.ts'

/** The integration suite under fault injection (`npm run test:hostile`). `test/hostile/run.ts` lists the files that run apart. */
export default defineConfig({ ...COMMON, test: { ...COMMON.test, include: ['test/**/*.integration.test.ts'], isolate: false } })
