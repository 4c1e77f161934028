import { concatAST, type DocumentNode, Kind, parse, visit } from 'graphql'
import { existsSync, readFileSync } from 'node:fs'

/** A bundle has the text of the schema beside it, as the function of a team has that writes its schema by hand. */
const BESIDE_BUNDLE = new URL('./schema.graphql', import.meta.url)

/** The clinic's API without its directives: the schema of a team that has no policy in it. */
export async function plainSdl(): Promise<DocumentNode> {
  if (existsSync(BESIDE_BUNDLE)) return parse(readFileSync(BESIDE_BUNDLE, 'utf8'), { noLocation: true })
  const { clinicTypeDefs } = await import('../../schema/clinic.ts')
  const directives = readFileSync(new URL('../../directives/directives.graphql', import.meta.url), 'utf8')
  const whole = concatAST([directives, ...clinicTypeDefs().map(({ sdl }) => sdl)].map((sdl) => parse(sdl, { noLocation: true })))
  return visit(whole, { [Kind.DIRECTIVE]: () => null, [Kind.DIRECTIVE_DEFINITION]: () => null })
}
