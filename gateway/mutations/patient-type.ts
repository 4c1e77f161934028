import type { TypeName } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { StoreUnavailable } from '../model/failures.ts'

/** The type of the records that are patients. @throws StoreUnavailable for a schema without one */
export function patientTypeOf({ records }: Pick<PolicyTable, 'records'>): TypeName {
  const type = [...records.values()].find(({ patient }) => patient === 'id')?.type
  if (type === undefined) throw new StoreUnavailable()
  return type
}
