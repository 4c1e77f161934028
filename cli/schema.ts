import { Command } from 'commander'
import { GraphQLSchema, isEnumType, isInputObjectType, isScalarType, lexicographicSortSchema, printSchema } from 'graphql'
import { compilePolicy } from '../directives/compile.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { DIRECTIVE_NAMES } from '../directives/read-directives.ts'
import { clinicTypeDefs } from '../schema/clinic.ts'

/** `phi schema print --public`: reads the shipped clinic's SDL, no running stack. Exit code 1 for a schema with faults. */
export function schemaCommand(): Command {
  const schema = new Command('schema').description('the schema as clients see it')
  schema
    .command('print')
    .description('print the SDL for clients and code generation')
    // the only form there is, and named all the same: the SDL with its directives stands in schema/clinical/
    .requiredOption('--public', 'without the directives that say who may see what')
    .action(() => {
      try {
        // no decision is taken here; the gateway compiles with the names that it has functions for
        const compiled = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
        process.stdout.write(printPublicSchema(compiled.schema))
      } catch (error) {
        if (!(error instanceof PolicyFaults)) throw error
        process.stderr.write(`${error.message}\n`)
        process.exitCode = 1
      }
    })
  return schema
}

/**
 * The SDL that clients write operations against: types, fields, arguments and descriptions, without this project's
 * directives and what only they use. Sorted by name, so that the same schema gives the same bytes. Ends with a newline.
 */
export function printPublicSchema(schema: GraphQLSchema): string {
  const config = schema.toConfig()
  const ours: readonly string[] = DIRECTIVE_NAMES
  const open = new GraphQLSchema({
    ...config,
    directives: config.directives.filter(({ name }) => !ours.includes(name)),
    // enums, inputs and scalars that a field or an argument uses are found again from there
    types: config.types.filter((type) => !isEnumType(type) && !isInputObjectType(type) && !isScalarType(type)),
  })
  return `${printSchema(lexicographicSortSchema(open))}\n`
}
