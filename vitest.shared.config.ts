import { defineConfig } from 'vitest/config'
import { COMMON } from './vitest.config.ts'

/** The checks over data outside of the project. `PHI_SHARED` names the folder of the data. */
export default defineConfig({ ...COMMON, test: { ...COMMON.test, include: ['test/**/*.check.ts'], testTimeout: 180_000 } })
