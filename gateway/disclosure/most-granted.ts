import type { SchemaPath } from '../../directives/coordinates.ts'
import { possibleViewInputs } from '../decide/view-inputs.ts'
import type { Wanted } from './record-fetch.ts'
import type { OperationRules, RequestIdentity } from './request-parts.ts'

/** The number of values of these records if each decision is a grant. */
export function mostGranted(
  wanted: readonly Wanted[],
  { policy, grantable, caller }: OperationRules & Pick<RequestIdentity, 'caller'>,
): number {
  const paths = wanted.flatMap((one) =>
    [...one.paths].filter((path) => grantable.has(path) && policy.phi.get(path)?.class !== 'EDGE'),
  )
  const inputs = (path: SchemaPath): number =>
    (policy.computed.get(path)?.length ?? 0) + possibleViewInputs(policy, path, caller.roles).size
  return paths.reduce((sum, path) => sum + 1 + inputs(path), 0)
}
