import { GraphQLSchema, isEnumType, isInputObjectType, isScalarType, lexicographicSortSchema, printSchema } from 'graphql'
import { compilePolicy } from '../directives/compile.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { DIRECTIVE_NAMES } from '../directives/read-directives.ts'
import { clinicTypeDefs } from '../schema/clinic.ts'
import { printText } from './terminal.ts'

/** Prints the public schema of the shipped clinic. Exit code 1 for a schema with faults. */
export function printClinic(): void {
  try {
    // unchecked: this makes no decisions, and only the gateway knows the sources of relationships
    const compiled = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
    printText(printPublicSchema(compiled.schema))
  } catch (error) {
    if (!(error instanceof PolicyFaults)) throw error
    printText(`${error.message}\n`, 'stderr')
    process.exitCode = 1
  }
}

/**
 * The SDL for writing client operations: types, fields, arguments and descriptions. It omits this project's directives and the
 * types that only they use. It is sorted by name, so that the same schema gives the same bytes. It ends with a newline.
 */
export function printPublicSchema(schema: GraphQLSchema): string {
  const config = schema.toConfig()
  const ours: readonly string[] = DIRECTIVE_NAMES
  const publicSchema = new GraphQLSchema({
    ...config,
    directives: config.directives.filter(({ name }) => !ours.includes(name)),
    // the constructor adds the enums, inputs and scalars that fields and arguments use
    types: config.types.filter((type) => !isEnumType(type) && !isInputObjectType(type) && !isScalarType(type)),
  })
  return `${printSchema(lexicographicSortSchema(publicSchema))}\n`
}
