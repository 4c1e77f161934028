import { buildClientSchema, getIntrospectionQuery, type IntrospectionQuery, lexicographicSortSchema, printSchema } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { printPublicSchema } from '../../cli/public-schema.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { parseSources } from '../../directives/parse-sources.ts'
import { auditTypeDefs, clinicTypeDefs } from '../../schema/clinic.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { auditDesk } from './oversight/audit-clinic.ts'

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
})
afterAll(() => clinic.stop())

const WHOLE = getIntrospectionQuery({ specifiedByUrl: true, oneOf: true, directiveIsRepeatable: true, inputValueDeprecation: true })
const printed = (data: unknown): string =>
  `${printSchema(lexicographicSortSchema(buildClientSchema(data as IntrospectionQuery)))}\n`

/** The directives that graphql itself defines. */
const OF_GRAPHQL = ['deprecated', 'include', 'oneOf', 'skip', 'specifiedBy']
const directivesOf = (data: unknown): string[] =>
  buildClientSchema(data as IntrospectionQuery)
    .getDirectives()
    .map(({ name }) => name)
    .toSorted()

describe('introspection shows the public schema, and nothing of the policy', () => {
  it('of the clinic: as `phi schema print --public` prints it', async () => {
    const { schema } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
    const answer = await clinic.ask('physician', WHOLE)
    expect(answer.errors).toEqual([])
    expect(printed(answer.data)).toBe(printPublicSchema(schema))
    expect(directivesOf(answer.data)).toEqual(OF_GRAPHQL)
  })

  it("of the auditor's API", async () => {
    const answer = await auditDesk(clinic).ask('auditor', WHOLE)
    expect(answer.errors).toEqual([])
    expect(printed(answer.data)).toBe(printPublicSchema(parseSources(auditTypeDefs())))
    expect(directivesOf(answer.data)).toEqual(OF_GRAPHQL)
  })
})
