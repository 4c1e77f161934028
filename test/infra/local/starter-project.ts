import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeStarter } from '../../../cli/starter.ts'
import { compilePolicy } from '../../../directives/compile.ts'
import { openProject, type Project, projectTypeDefs, writeProjectLock } from '../../../schema/project.ts'

const moduleOf = (file: string): string => new URL(`../../../${file}`, import.meta.url).href

/** The modules of the package, as files of this repository. */
const MODULES = { "'phi-gateway'": moduleOf('gateway/index.ts'), "'phi-gateway/lambda'": moduleOf('functions/lambda.ts') }

/** Writes the project of `phi init` to an empty folder, over the modules of this repository in place of the package. */
export function writeStarterProject(folder: string): Project {
  writeStarter(folder)
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
    let text = readFileSync(join(folder, file), 'utf8')
    for (const [name, url] of Object.entries(MODULES)) text = text.replaceAll(name, `'${url}'`)
    writeFileSync(join(folder, file), text)
  }
  const project = openProject(folder)
  writeProjectLock(compilePolicy(projectTypeDefs(project), { relationships: 'unchecked' }).lock, project)
  return project
}
