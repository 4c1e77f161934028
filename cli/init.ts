import { Command } from 'commander'
import { printLine } from './terminal.ts'

/** `phi init` writes a project with a schema of two types: a function, its policy lock, local users and records, and a test. */
export function initCommand(): Command {
  return new Command('init')
    .description('write a new project to this folder')
    .action(async (_options: object, command: Command) => {
      const [{ InitRefused, writeStarter }, { compilePolicy }, { openProject, projectTypeDefs, writeProjectLock }] =
        await Promise.all([import('./starter.ts'), import('../directives/compile.ts'), import('../schema/project.ts')])
      try {
        for (const file of writeStarter(process.cwd())) printLine(`  ${file}`)
      } catch (failure) {
        if (failure instanceof InitRefused) command.error(`error: ${failure.message}`)
        throw failure
      }
      const { folder } = openProject()
      writeProjectLock(compilePolicy(projectTypeDefs(), { relationships: 'unchecked' }).lock)
      printLine('  schema/policy.lock')
      printLine(`The project is in ${folder}. Test it with \`npm test\`, and run it with \`npx phi dev\`.`)
    })
}
