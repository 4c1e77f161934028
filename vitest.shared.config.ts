import { defineConfig } from 'vitest/config'
import { COMMON } from './vitest.config.ts'

/** The checks over data that is not part of the project; `PHI_SHARED` names its folder. */
export default defineConfig({ ...COMMON, test: { ...COMMON.test, include: ['test/**/*.check.ts'], testTimeout: 180_000 } })
