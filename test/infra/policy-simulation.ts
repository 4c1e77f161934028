import { runSimulation } from '@cloud-copilot/iam-simulate'
import { ACCOUNT } from './resolved-template.ts'

/** A request as IAM sees it. */
export interface SimulatedRequest {
  readonly action: string
  readonly resource: string
  readonly context?: Readonly<Record<string, string | string[]>>
  /** The account of the resource; this one by default. */
  readonly owner?: string
}

export interface SimulatedPolicies {
  /** The ARN of the caller. */
  readonly principal: string
  readonly policies: readonly { readonly name: string; readonly policy: unknown }[]
  readonly sessionPolicy?: unknown
  /** The policy of the resource, such as a key policy. */
  readonly resourcePolicy?: unknown
}

/** The request or a policy is not valid, so that nothing was evaluated: a refusal would mean nothing. */
class NotSimulated extends Error {
  override readonly name = 'NotSimulated'
}

/**
 * The answer of IAM to a request, by an evaluator of policies.
 *
 * @throws NotSimulated
 */
export async function simulate(
  { action, resource, context = {}, owner = ACCOUNT }: SimulatedRequest,
  { principal, policies, sessionPolicy, resourcePolicy }: SimulatedPolicies,
): Promise<'Allowed' | 'ExplicitlyDenied' | 'ImplicitlyDenied'> {
  const answer = await runSimulation(
    {
      request: { principal, action, resource: { resource, accountId: owner }, contextVariables: { ...context } },
      identityPolicies: policies.map(({ name, policy }) => ({ name, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(sessionPolicy !== undefined && { sessionPolicy }),
      ...(resourcePolicy !== undefined && { resourcePolicy }),
    },
    {},
  )
  if (answer.resultType !== 'single') throw new NotSimulated(JSON.stringify(answer))
  const ignored = answer.result.ignoredContextKeys ?? []
  if (ignored.length > 0) throw new NotSimulated(`${action} has no condition key ${ignored.join(', ')}`)
  return answer.overallResult
}
