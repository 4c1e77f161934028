import { fileURLToPath } from 'node:url'
import { type CompiledPolicy, compilePolicy } from '../../../directives/compile.ts'
import { openProject, projectTypeDefs } from '../../../schema/project.ts'

/** The folder of the project that `phi init` writes. */
export const STARTER = fileURLToPath(new URL('../../../infra/npm/starter', import.meta.url))

/** The schema of that project, compiled. */
export const practice: CompiledPolicy = compilePolicy(projectTypeDefs(openProject(STARTER)), { relationships: 'unchecked' })
