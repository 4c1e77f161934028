import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql'
import { compilePolicy } from '../directives/compile.ts'
import { PolicyFaults } from '../directives/fault.ts'
import { publicSchema } from '../directives/public-schema.ts'
import { projectTypeDefs } from '../schema/project.ts'
import { printText } from './terminal.ts'

/** Prints the public schema of the project. Exit code 1 for a schema with faults. */
export function printSchemaOfProject(): void {
  try {
    // unchecked: this makes no decisions, and only the gateway knows the sources of relationships
    const compiled = compilePolicy(projectTypeDefs(), { relationships: 'unchecked' })
    printText(printPublicSchema(compiled.schema))
  } catch (error) {
    if (!(error instanceof PolicyFaults)) throw error
    printText(`${error.message}\n`, 'stderr')
    process.exitCode = 1
  }
}

/**
 * The SDL for writing client operations: see `publicSchema`. It is sorted by name, so that the same schema gives the same bytes. It ends
 * with a newline.
 */
export function printPublicSchema(schema: GraphQLSchema): string {
  return `${printSchema(lexicographicSortSchema(publicSchema(schema)))}\n`
}
