import { Command } from 'commander'

/** `phi schema print --public` reads the SDL of the project without a running stack. Exit code 1 for a schema with faults. */
export function schemaCommand(): Command {
  const schema = new Command('schema').description('the schema as clients see it')
  schema
    .command('print')
    .description('print the SDL for clients and code generation')
    // required, although it is the only form: the SDL with its directives is in the schema's folder
    .requiredOption('--public', 'omit the directives of the access policy')
    .action(async () => {
      const { printSchemaOfProject } = await import('./public-schema.ts')
      printSchemaOfProject()
    })
  return schema
}
