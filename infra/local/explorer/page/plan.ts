import { getNamedType, type GraphQLField, type GraphQLSchema, isObjectType } from 'graphql'
import * as z from 'zod'
import { readAnswer } from './answer.ts'
import type { Operation, Session } from './session.ts'

const text = z.string().nullish()
const PlannedPath = z.object({
  path: z.string(),
  outcome: z.enum(['GRANTED', 'MASKED', 'DENIED', 'DEPENDS']),
  action: text,
  view: text,
  reason: text,
  rule: text,
  grant: text,
  at: text,
  dependsOn: z.array(z.string()).nullish(),
  breakGlass: z.boolean().nullish(),
  consentCouldClose: z.boolean().nullish(),
})
const AccessPlan = z.object({ purpose: text, assumed: z.array(z.string()).nullish(), paths: z.array(PlannedPath) })

export type Outcome = PlannedPath['outcome']
export type PlannedPath = z.infer<typeof PlannedPath>
type AccessPlan = z.infer<typeof AccessPlan>

/** The plan of an operation, or why there is none. */
export type Explained = { readonly plan: AccessPlan } | { readonly unavailable: string }

const ROOT = 'explainAccess'

/**
 * Asks the gateway for the access plan of an operation, with the token of the session. Nothing of the operation runs again.
 *
 * @param patient the id of the patient that the plan is about. Without it, outcomes that depend on the patient are DEPENDS
 */
export async function explain(
  schema: GraphQLSchema,
  session: Session,
  { query, operationName }: Operation,
  patient: string | undefined,
): Promise<Explained> {
  const root = schema.getQueryType()?.getFields()[ROOT]
  if (root === undefined) return { unavailable: `The schema of ${session.user.endpoint} has no ${ROOT}.` }
  let response: unknown
  try {
    response = await session.ask({ query: planQuery(root), variables: { query, operationName, patient } })
  } catch {
    return { unavailable: 'The gateway did not answer the request for the plan.' }
  }
  const answer = readAnswer(response)
  const plan = z.object({ [ROOT]: AccessPlan }).safeParse(answer?.data).data?.[ROOT]
  if (plan !== undefined) return { plan }
  const codes = [...new Set(answer?.errors.map(({ extensions: { code, reason } }) => reason ?? code ?? 'an unknown error'))]
  return { unavailable: `The gateway made no plan: ${codes.join(', ') || 'the answer has an unknown form'}.` }
}

/** Selects the fields that this schema has. A schema of its own may have fewer. */
function planQuery(root: GraphQLField<unknown, unknown>): string {
  const type = getNamedType(root.type)
  const fields = isObjectType(type) ? type.getFields() : {}
  const pathType = fields['paths'] && getNamedType(fields['paths'].type)
  const has = (name: string): boolean => Object.hasOwn(fields, name)
  const ofPaths = isObjectType(pathType) ? Object.keys(PlannedPath.shape).filter((name) => name in pathType.getFields()) : []
  const named = root.args.some(({ name }) => name === 'operationName')
  const about = root.args.some(({ name }) => name === 'patientId')
  const variables = ['$query: String!', ...(named ? ['$operationName: String'] : []), ...(about ? ['$patient: ID'] : [])]
  const given = ['query: $query', ...(named ? ['operationName: $operationName'] : []), ...(about ? ['patientId: $patient'] : [])]
  const selected = [...['purpose', 'assumed'].filter(has), `paths { ${ofPaths.join(' ')} }`]
  return `query AccessPlan(${variables.join(', ')}) { ${ROOT}(${given.join(', ')}) { ${selected.join(' ')} } }`
}
